"""Rows in the same lossy types, and how far they moved beside what these types make."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.changes import Change
from modeldiff.findings.quantised.floors import floor_of
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_pct

_AT = 1.15
"""So near, as a ratio, is a change to the floor that it is called."""
_APART = 1.5
"""From this ratio of two types' floors on, the finer one's alone is told from that of both."""


@dataclass(frozen=True)
class LossyRows:
    """Rows that moved and are stored in the same lossy types. ``size_pct`` is their relative
    Frobenius change together, ``floor_pct`` what the types make on their own."""

    types: tuple[str, ...]
    rows: tuple[Change, ...]
    size_pct: float
    floor_pct: float

    @property
    def ratio(self) -> float:
        """How many times its floor the change is."""
        return self.size_pct / self.floor_pct

    @property
    def alike(self) -> bool:
        """Whether both sides have the same type: then one quantiser makes the same of the same
        weights, and what differs was made by another, or of other weights."""
        return len(self.types) == 2 and self.types[0] == self.types[1]

    @property
    def words(self) -> str:
        """The types: ``Q4_K``, ``Q4_K and Q6_K``."""
        return " and ".join(dict.fromkeys(self.types))

    @property
    def words_by_side(self) -> str:
        """The types and whose they are, where both sides have one."""
        if len(self.types) == 1:
            return self.types[0]
        one, other = self.types
        return f"{one} on both sides" if one == other else f"{one} in base and {other} in target"


def requantised(groups: Sequence[LossyRows]) -> str:
    """That one side was made of the other's values, in a sentence; empty where a group of rows
    says otherwise.

    Two quantisations of one original lie as far apart as both types' errors together. Where one
    type alone makes the whole distance, and loses far less than the other, it was made of what the
    other had left.
    """
    finer = {_finer_side(group) for group in groups}
    if len(finer) != 1 or None in finer:
        return ""
    made, other = (("base", "target"), ("target", "base"))[finer.pop() == 1]
    group = groups[0]
    own = min(floor_of((name,)) for name in group.types)
    return (
        f"Like {made} being made of {other}'s values, or both of weights that had been quantised "
        f"as {other} is: tensors in {group.words} are {format_pct(group.size_pct)} apart, "
        f"about what the finer type loses alone ({format_pct(own)}), where two quantisations of "
        f"other weights would be some {format_pct(group.floor_pct)} apart."
    )


def _finer_side(group: LossyRows) -> int | None:
    """Which side's type, the finer one by far, makes the whole distance; None where none does."""
    if len(group.types) != 2:
        return None
    floors = [floor_of((name,)) for name in group.types]
    side = floors.index(min(floors))
    alone = group.size_pct <= _AT * floors[side]
    return side if alone and floors[1 - side] >= _APART * floors[side] else None
