"""The element types that a checkpoint can store, in safetensors' spelling."""

from __future__ import annotations

from typing import Literal

from modeldiff.processes.late_dataclass import dataclass

Kind = Literal["float", "integer", "bool", "packed"]


@dataclass(frozen=True)
class StoredType:
    """One stored element type.

    ``bits`` is the width of an element, ``significand`` the bits of precision with the hidden one
    (0 where a value is no float). ``packed`` types hold several values in a byte or values that
    mean nothing without a scale, so their elements are not numbers to compare by size.
    """

    name: str
    bits: int
    kind: Kind
    significand: int = 0

    @property
    def resolution_pct(self) -> float | None:
        """The smallest relative step in percent, ``100 * 2**-significand``; None for no float."""
        return 100.0 * 2.0**-self.significand if self.significand else None


STORED_TYPES: dict[str, StoredType] = {
    t.name: t
    for t in (
        StoredType("F64", 64, "float", 53),
        StoredType("F32", 32, "float", 24),
        StoredType("F16", 16, "float", 11),
        StoredType("BF16", 16, "float", 8),
        StoredType("F8_E4M3", 8, "float", 4),
        StoredType("F8_E5M2", 8, "float", 3),
        StoredType("F8_E4M3FNUZ", 8, "float", 4),
        StoredType("F8_E5M2FNUZ", 8, "float", 3),
        StoredType("F8_E8M0", 8, "float", 1),
        StoredType("F6_E2M3", 6, "packed"),
        StoredType("F6_E3M2", 6, "packed"),
        StoredType("F4", 4, "packed"),
        StoredType("C64", 64, "packed"),
        StoredType("I64", 64, "integer"),
        StoredType("U64", 64, "integer"),
        StoredType("I32", 32, "integer"),
        StoredType("U32", 32, "integer"),
        StoredType("I16", 16, "integer"),
        StoredType("U16", 16, "integer"),
        StoredType("I8", 8, "integer"),
        StoredType("U8", 8, "integer"),
        StoredType("BOOL", 8, "bool"),
    )
}

CODE_TYPES = frozenset(
    {"I8", "U8", "I32", "U32", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}
)
"""The types that quantisation stores codes in."""
