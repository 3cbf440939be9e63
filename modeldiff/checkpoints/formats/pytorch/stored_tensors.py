"""Records of tensors → tensors: which bytes of the file hold them, in which strides."""

from __future__ import annotations

from math import prod
from typing import Any

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.pytorch.archive import Archive
from modeldiff.checkpoints.formats.pytorch.records import TORCH_TYPES, Call, Global, Storage
from modeldiff.checkpoints.tensor import Strides, TensorInfo
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.text.quoting import quoted

_PARAMETERS = ("_rebuild_parameter", "_rebuild_parameter_with_state", "Parameter", "Buffer")
_TENSORS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
_FOREIGN = ("torch._utils._rebuild_", "torch.sparse", "numpy.core.multiarray", "numpy._core.multi")
_MAX_DIMENSIONS = 16
_MAX_SIZE = 1 << 48
_EXPANDED = 4096
"""Bytes by which a tensor may be larger than what is stored of it: masks may be one value,
expanded."""


def is_tensor(value: Any) -> bool:
    """Whether a record is that of a tensor whose bytes can be found."""
    return _arguments(value) is not None


def is_foreign_tensor(value: Any) -> bool:
    """Whether it is that of a tensor kept in another way: sparse, quantised by torch, NumPy's."""
    return isinstance(value, Call) and not is_tensor(value) and value.path.startswith(_FOREIGN)


def tensor_of(value: Any, name: str, archive: Archive, where: str) -> TensorInfo:
    """The tensor that a record describes, under ``name``; ``where`` names the file in messages.

    Raises ``UnsupportedFormat`` where its element type is not known, ``DamagedCheckpoint`` where it
    is not within its storage.
    """
    arguments = _arguments(value)
    assert arguments is not None
    storage, offset, shape, strides, dtype = arguments
    stored = STORED_TYPES.get(dtype)
    if stored is None:
        raise UnsupportedFormat(
            f"{where}: tensor {quoted(name)} has the element type {quoted(dtype)}, which is not "
            "known.",
            hint=f"Known are {', '.join(STORED_TYPES)}.",
        )
    width = stored.bits // 8
    numbers = (offset, *shape, *strides)
    sound = len(shape) == len(strides) <= _MAX_DIMENSIONS and all(
        type(number) is int and 0 <= number <= _MAX_SIZE for number in numbers
    )
    if not sound or storage.key not in archive.storages:
        raise DamagedCheckpoint(
            f"{where}: tensor {quoted(name)} has sizes that no tensor has, or a storage that is "
            "not there.",
            hint="Download or copy the file again.",
        )
    begin, nbytes = archive.storages[storage.key]
    elements = prod(shape)
    last = (
        sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1 if elements else 0
    )
    if (offset + last) * width > nbytes or elements * width > 4 * nbytes + _EXPANDED:
        raise DamagedCheckpoint(
            f"{where}: tensor {quoted(name)} of shape {quoted(str(list(shape)))} is not within the "
            f"{nbytes:,} bytes of its storage.",
            hint="Download or copy the file again.",
        )
    return TensorInfo.stored(
        name,
        dtype,
        shape,
        archive.file,
        begin + offset * width,
        elements * width,
        strides_of(shape, strides),
    )


def sizes_of(value: Any) -> tuple[int, ...] | None:
    """A ``torch.Size`` that was pickled as such, or as a call; None where it is none."""
    sizes = value.arguments[:1] if isinstance(value, Call) else (value,)
    inner = sizes[0] if isinstance(sizes, tuple) and sizes else None
    if not isinstance(inner, tuple | list) or len(inner) > _MAX_DIMENSIONS:
        return None
    sound = all(type(size) is int and 0 <= size < _MAX_SIZE for size in inner)
    return tuple(inner) if sound else None


def strides_of(shape: tuple[int, ...], strides: tuple[int, ...]) -> Strides:
    """torch's strides as ours: neighbouring dimensions that lie as one are one, and those that lie
    one element after the other none."""
    axes: list[tuple[int, int]] = []
    for count, distance in zip(shape, strides, strict=True):
        if count == 1:
            continue
        if axes and axes[-1][1] == count * distance:
            axes[-1] = (axes[-1][0] * count, distance)
        else:
            axes.append((count, distance))
    return () if not axes or 0 in shape or (len(axes) == 1 and axes[0][1] == 1) else tuple(axes)


_Arguments = tuple[Storage, int, tuple[int, ...], tuple[int, ...], str]


def _arguments(value: Any) -> _Arguments | None:
    """(Storage, offset, shape, strides, dtype) of the tensor that a record would rebuild."""
    if not isinstance(value, Call) or not isinstance(value.arguments, tuple):
        return None
    name, arguments = value.path.rpartition(".")[2], value.arguments
    if name in _PARAMETERS and arguments:
        return _arguments(arguments[0])
    if name == "_rebuild_from_type_v2" and len(arguments) > 2:
        return _arguments(Call(arguments[0], arguments[2]))
    if name not in _TENSORS or len(arguments) < 4 or not isinstance(arguments[0], Storage):
        return None
    storage, offset, shape, strides = arguments[:4]
    if not (isinstance(shape, tuple) and isinstance(strides, tuple)):
        return None
    dtype = storage.dtype
    if name == "_rebuild_tensor_v3":
        kind = arguments[6] if len(arguments) > 6 else None
        own = kind.name if isinstance(kind, Global) else ""
        dtype = TORCH_TYPES.get(own, own)
    return storage, offset, shape, strides, dtype
