"""What explains rows of a change table beside training, with the evidence in its sentence.

A witness's rows are left out of what levels and depths are read from: a tensor that is another one
times two says nothing of how far training moved it.
"""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import Place
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Witness:
    """``sentence`` says what was seen and by which numbers; ``places`` are of the rows that it
    explains. ``likeness``, if any, says what such a finding is like. ``remainder_pct`` is how far,
    in percent, these rows moved beside it, where that is more than rounding. ``sampled``: not all
    of their elements were looked at."""

    sentence: str
    places: frozenset[Place]
    likeness: str = ""
    remainder_pct: float = 0.0
    sampled: bool = False


def explained_places(witnesses: Sequence[Witness]) -> frozenset[Place]:
    """All places that one of the witnesses explains."""
    return frozenset().union(*(witness.places for witness in witnesses))
