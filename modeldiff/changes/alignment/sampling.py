"""A few thousand elements of several matrices of each layer, the same ones in every layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.naming.strides import turned
from modeldiff.architectures.place import Parameter
from modeldiff.changes.dtype_pairs import decode_into
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo
from modeldiff.checkpoints.tensor import TensorUnreadable
from modeldiff.processes.late_dataclass import dataclass

MATRICES = 8
"""So many matrices of a layer are sampled at most."""
RUN, RUNS = 64, 48
"""Neighbouring elements that are read at once, and how often in a matrix."""

SampledPlace = tuple[str, str, int | None, tuple[int, ...]]
"""Which matrix of a layer: component, parameter, expert and shape."""
LayerTensors = Mapping[SampledPlace, Mapping[int, TensorInfo]]
"""A tower's matrices, each by the number of its layer."""
Samples = Mapping[int, npt.NDArray[np.float32]]
"""A sample by the number of its layer."""


@dataclass(frozen=True)
class TowerMatrices:
    """The matrices of one tower that both sides have in some layers, and in the same shape."""

    tower: str
    base: LayerTensors
    target: LayerTensors


def matrices_to_sample(base: Architecture, target: Architecture, tower: str) -> TowerMatrices:
    """The matrices that occur in most layers of the two; of experts only the first one's."""
    sides = _matrices(base, tower), _matrices(target, tower)
    shared = [witness for witness in sides[0] if witness in sides[1]]
    shared.sort(key=lambda one: -min(len(side[one]) for side in sides))
    chosen = shared[:MATRICES]
    return TowerMatrices(tower, *({one: side[one] for one in chosen} for side in sides))


def read_samples(
    checkpoint: Checkpoint,
    matrices: LayerTensors,
    fetching: Callable[[int, int], None] | None = None,
    looking: Callable[[], None] = lambda: None,
) -> Mapping[SampledPlace, Samples]:
    """The sample of each matrix in each layer: float32, not finite ones as 0. A tensor that cannot
    be read has none. ``fetching`` is called with bytes that are here and all bytes of a file,
    ``looking`` before each tensor.

    Raises ``CheckpointChanged``, and what the two raise.
    """
    tensors = [tensor for by_layer in matrices.values() for tensor in by_layer.values()]
    files = OpenFiles(checkpoint, tensors)
    samples: dict[SampledPlace, dict[int, npt.NDArray[np.float32]]] = {}
    try:
        for file in files.names:
            files.fetch(file, fetching if files.bytes_to_download(file) else None)
        for witness, by_layer in matrices.items():
            own = samples.setdefault(witness, {})
            for layer, tensor in by_layer.items():
                looking()
                try:
                    own[layer] = _sample(files, tensor)
                except TensorUnreadable:
                    continue
        for tensor in tensors:
            files.done(tensor)
    finally:
        files.close()
    return samples


def _sample(files: OpenFiles, tensor: TensorInfo) -> npt.NDArray[np.float32]:
    stored = STORED_TYPES[tensor.values]
    run, starts = _runs(tensor.elements)
    raw = np.empty(len(starts) * run * stored.bits // 8, np.uint8)
    files.fill_clusters(tensor, starts, raw)
    values = np.empty(len(starts) * run, np.float64 if stored.bits == 64 else np.float32)
    decode_into(raw, stored, values)
    values[~np.isfinite(values)] = 0.0
    return values.astype(np.float32)


def _runs(elements: int) -> tuple[int, Sequence[int]]:
    """How long a run is and where each begins: one in each of as many equal parts, at places that
    no length of a row is a multiple of."""
    if elements <= RUN * RUNS:
        return elements, [0]
    part = elements // RUNS
    return RUN, [n * part + n * 0x9E3779B1 % (part - RUN + 1) for n in range(RUNS)]


def _matrices(architecture: Architecture, tower: str) -> LayerTensors:
    matrices: dict[SampledPlace, dict[int, TensorInfo]] = {}
    for parameter in architecture.parameters:
        place = parameter.place
        if place.tower != tower or place.layer is None or place.expert not in (None, 0):
            continue
        if (tensor := _as_matrix(parameter)) is not None:
            witness = place.component, place.parameter, place.expert, tensor.shape
            matrices.setdefault(witness, {})[place.layer] = tensor
    return matrices


def _as_matrix(parameter: Parameter) -> TensorInfo | None:
    """The tensor as [out, in]; None for what is no trained matrix of floats."""
    tensor = parameter.tensor
    stored = STORED_TYPES.get(tensor.values)
    if parameter.role != "parameter" or len(tensor.shape) < 2 or tensor.elements < RUN:
        return None
    if stored is None or stored.kind != "float":
        return None
    if not parameter.transposed:
        return tensor
    return turned(tensor) if tensor.recipe is None and len(tensor.shape) == 2 else None
