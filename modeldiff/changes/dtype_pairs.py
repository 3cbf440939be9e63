"""How each stored float type becomes float32, and how two stored types are compared."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modeldiff.changes.kernels.bins import BF16, F16, F32, F64, TABLE8
from modeldiff.checkpoints.dtypes import STORED_TYPES, StoredType
from modeldiff.checkpoints.recipes.small_floats import table8
from modeldiff.processes.late_dataclass import dataclass

_CODES = {"F64": F64, "F32": F32, "BF16": BF16, "F16": F16}


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


@lru_cache(maxsize=256)
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


@lru_cache(maxsize=256)
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
