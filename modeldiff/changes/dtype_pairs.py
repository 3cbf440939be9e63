"""How each stored float type becomes float32, and how two stored types are compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modeldiff.changes.kernels.bins import BF16, F16, F32, F64, TABLE8
from modeldiff.checkpoints.dtypes import STORED_TYPES, StoredType

_CODES = {"F64": F64, "F32": F32, "BF16": BF16, "F16": F16}


@cache
def table8(dtype: str) -> npt.NDArray[np.float32]:
    """The 256 values of an eight-bit float type, by their byte.

    F8_E4M3 and F8_E5M2 as in Micikevicius et al., "FP8 formats for deep learning" (2022); the
    FNUZ variants, whose only special value is NaN at 0x80 and whose bias is one more, as in
    Noune et al., "8-bit numerical formats for deep neural networks" (2022); F8_E8M0, a bare power
    of two, as in the OCP Microscaling specification 1.0.
    """
    byte = np.arange(256)
    if dtype == "F8_E8M0":
        values = np.ldexp(1.0, byte - 127)
        values[0xFF] = np.nan
        return values.astype(np.float32)
    fraction_bits, bias = {
        "F8_E4M3": (3, 7),
        "F8_E4M3FNUZ": (3, 8),
        "F8_E5M2": (2, 15),
        "F8_E5M2FNUZ": (2, 16),
    }[dtype]
    exponent = (byte & 0x7F) >> fraction_bits
    fraction = (byte & ((1 << fraction_bits) - 1)) / (1 << fraction_bits)
    normal = np.ldexp(1.0 + fraction, exponent - bias)
    values = np.where(exponent == 0, np.ldexp(fraction, 1 - bias), normal)
    values = np.where(byte & 0x80, -values, values)
    if dtype.endswith("FNUZ"):
        values[0x80] = np.nan
    elif dtype == "F8_E4M3":
        values[[0x7F, 0xFF]] = np.nan
    else:
        values[[0x7C, 0xFC]] = np.inf, -np.inf
        values[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    return values.astype(np.float32)


@dataclass(frozen=True)
class DtypePair:
    """How two stored types are compared.

    ``precision`` is the working type of the relative change, or ``equality`` where the elements
    are no floats and can only be told equal or not. ``resolves``: both sides' values are as fine as
    their types, which those that a lossy recipe makes are not.
    """

    base: StoredType
    target: StoredType
    precision: Literal["float32", "float64", "equality"]
    resolves: bool = True

    @property
    def resolution_pct(self) -> float | None:
        """The smallest relative step of the coarser side, in percent; None for no float, and where
        there is no such step."""
        if not self.resolves:
            return None
        steps = (self.base.resolution_pct, self.target.resolution_pct)
        return max((step for step in steps if step is not None), default=None)

    def elements(self, nbytes: int) -> int:
        """How many of base's elements ``nbytes`` bytes hold."""
        return nbytes * 8 // self.base.bits


def dtype_pair(base: str, target: str) -> DtypePair | None:
    """How tensors stored as ``base`` and ``target`` are compared; None if they cannot be."""
    one, other = STORED_TYPES.get(base), STORED_TYPES.get(target)
    if one is None or other is None:
        return None
    if one.kind == other.kind == "float":
        return DtypePair(one, other, "float64" if 64 in (one.bits, other.bits) else "float32")
    if one == other or (one.kind == other.kind == "integer"):
        return DtypePair(one, other, "equality")
    return None


def decoder(stored: StoredType) -> tuple[int, int]:
    """A kernel's two arguments that say how to decode: a code, and the address of a table."""
    code = _CODES.get(stored.name)
    if code is not None:
        return code, table8("F8_E5M2").ctypes.data  # never read, but a valid address
    return TABLE8, table8(stored.name).ctypes.data


def equal_elements(
    base: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], types: DtypePair
) -> int:
    """How many elements are equal; packed ones are compared bit by bit."""
    if types.base.kind == "integer":
        one = base.view(_numpy_integer(types.base))
        return int(np.count_nonzero(one == target.view(_numpy_integer(types.target))))
    if types.base.bits % 8 == 0:
        width = types.base.bits // 8
        return int((base == target).reshape(-1, width).all(axis=1).sum())
    bits = np.unpackbits(base ^ target, bitorder="little")
    whole = bits[: bits.size // types.base.bits * types.base.bits]
    return int((~whole.reshape(-1, types.base.bits).any(axis=1)).sum())


def _numpy_integer(stored: StoredType) -> np.dtype[np.integer]:
    return np.dtype(f"{'u' if stored.name.startswith('U') else 'i'}{stored.bits // 8}")


def decode_into(raw: npt.NDArray[np.uint8], stored: StoredType, values: npt.NDArray[Any]) -> None:
    """Floats of any type as values, without loss: what the kernels do, in NumPy.

    ``values`` is float32, or float64 where a side is stored as such.
    """
    if stored.name == "BF16":
        halves = raw.view(np.uint16)
        if values.dtype == np.float32:
            bits = values.view(np.uint32)
            np.left_shift(halves, np.uint32(16), out=bits, dtype=np.uint32, casting="unsafe")
        else:
            values[:] = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif stored.bits == 8:
        values[:] = table8(stored.name)[raw]
    else:
        values[:] = raw.view({"F64": np.float64, "F32": np.float32, "F16": np.float16}[stored.name])
