"""Which elements of a stored tensor its parts are made of."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from modeldiff.architectures import Architecture
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo


def elements_of(part: TensorInfo, whole: TensorInfo) -> npt.NDArray[np.int64]:
    """The numbers of the part's elements in the stored tensor, in the part's shape."""
    width = STORED_TYPES[whole.dtype].bits // 8
    found = np.array([(part.offset - whole.offset) // width], np.int64)
    for count, distance in part.strides or ((part.elements, 1),):
        found = (found[:, None] + np.arange(count) * distance).reshape(-1)
    return found.reshape(part.shape)


def assert_nothing_lost_or_doubled(checkpoint: Checkpoint, architecture: Architecture) -> None:
    """Every stored tensor stands in the architecture, whole or as parts that share it out."""
    held = defaultdict(list)
    for parameter in architecture.parameters:
        if parameter.role != "tied":
            held[parameter.tensor.name].append(parameter.tensor)
    assert list(held) == [tensor.name for tensor in checkpoint.tensors]
    for whole in checkpoint.tensors:
        parts = held[whole.name]
        if parts == [whole]:
            continue
        elements = np.concatenate([elements_of(part, whole).reshape(-1) for part in parts])
        np.testing.assert_array_equal(np.sort(elements), np.arange(whole.elements))
        assert sum(part.nbytes for part in parts) == whole.nbytes
        assert len({part.label for part in parts}) == len(parts)
        assert {(part.file, part.dtype) for part in parts} == {(whole.file, whole.dtype)}
