"""Stored floats as numbers and back, for recipes that compute: to the nearest, ties to even."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.tensor import Fill, TensorInfo

FloatArray = npt.NDArray[Any]
COMPUTED = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32, "F64": np.float64}
"""The types that recipes compute with, as NumPy has their bytes."""
_NAN = 0x7FC0
"""What torch makes of a value that is no number when it rounds to bfloat16."""


def read_floats(
    read: Fill, tensor: TensorInfo, first: int = 0, count: int | None = None
) -> FloatArray:
    """``count`` values of a tensor in one of the ``COMPUTED`` types from element ``first`` on, by
    default all: float32, of F64 float64. Raises what ``read`` raises."""
    count = tensor.elements - first if count is None else count
    raw: FloatArray = np.empty(count, COMPUTED[tensor.values])
    read(tensor, first, raw.data.cast("B"))
    if tensor.values == "BF16":
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return raw.astype(np.float32) if tensor.values == "F16" else raw


def write_floats(values: FloatArray, kind: str, out: memoryview) -> None:
    """The bytes of ``values`` (float32 or float64), rounded to the ``COMPUTED`` type ``kind``."""
    target = np.frombuffer(out, COMPUTED[kind])
    flat = values.reshape(-1)
    if kind == "BF16":
        np.copyto(target, _bfloat16(flat))
        return
    with np.errstate(over="ignore"):  # beyond the type's range is infinity
        np.copyto(target, flat, casting="same_kind")


def rounded(values: FloatArray, kind: str) -> FloatArray:
    """The values as the ``COMPUTED`` type ``kind`` has them, in float32; F64's and F32's as they
    are."""
    if kind == "BF16":
        return (_bfloat16(values).astype(np.uint32) << np.uint32(16)).view(np.float32)
    if kind == "F16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    return values


def _bfloat16(values: FloatArray) -> npt.NDArray[np.uint16]:
    single = np.ascontiguousarray(values, np.float32)
    bits = single.view(np.uint32)
    # In place of three temporary arrays: 0x7FFF, or 0x8000 where the last bit kept is odd.
    up = bits >> np.uint32(16)
    up &= np.uint32(1)
    up += np.uint32(0x7FFF)
    up += bits
    up >>= np.uint32(16)
    halves = up.astype(np.uint16)
    lost = np.isnan(single)
    if lost.any():
        halves[lost] = _NAN
    return halves
