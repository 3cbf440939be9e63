"""What a heatmap's cell shows where its colour does not say all: marks, and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from modeldiff.changes.change import Status
from modeldiff.findings.status_words import NOT_MEASURED, STATUS_WORDS
from modeldiff.processes.late_dataclass import dataclass

Ground = Literal["colour", "panel", "dashed", "paper"]
"""What a marked cell is painted with: its value's colour, the grey of what is the same, paper in a
dashed edge where nothing could be compared, or paper alone while it is not measured."""

SAME = "exactly equal"
"""The mark of a cell whose elements are all equal in both."""
FEW_MOVED = "few moved"
"""The mark of a cell some of whose elements moved, too few for a quantile to show it."""
NOT_FINITE = "not finite"
"""The mark of a cell with elements that are NaN or infinite, whatever number the others give."""
PARTIAL = "part of the rows"
"""The mark of two vocabularies, of which the rows were compared that both have."""
SOME = "part of the tensors"
"""The mark of a cell of several tensors, of which some were compared."""
INFINITE = "infinite"
NO_VALUE = "no value"
ABOVE = "above the scale"
"""Not a cell's own mark: its value is, on the scale that it lies on."""


def label(status: Status) -> str:
    """The mark of a cell with this status."""
    return STATUS_WORDS[status].label


@dataclass(frozen=True)
class CellMark:
    """``sign`` stands in the cell, ``meaning`` in the legend."""

    sign: str
    meaning: str
    ground: Ground = "colour"


MARKS: Mapping[str, CellMark] = {
    ABOVE: CellMark("▲", "above the scale"),
    SAME: CellMark("=", "exactly equal", "panel"),
    FEW_MOVED: CellMark("≈", "too few elements moved to show in this number"),
    NOT_MEASURED: CellMark("", NOT_MEASURED, "paper"),
    label("only_in_base"): CellMark("−", "only in base", "dashed"),
    label("only_in_target"): CellMark("+", "only in target", "dashed"),
    label("different_shape"): CellMark("≠", "other shape", "dashed"),
    label("unreadable"): CellMark("×", "unreadable", "dashed"),
    label("quantised"): CellMark("q", "quantised, not measured", "dashed"),
    NOT_FINITE: CellMark("!", "has NaN or infinite values"),
    INFINITE: CellMark("∞", "infinite: base is mostly zero", "dashed"),
    PARTIAL: CellMark("", "only a part compared"),
    SOME: CellMark("", "only a part compared"),
    NO_VALUE: CellMark("·", "nothing to measure", "panel"),
    label("tied"): CellMark("", "stored once, used twice", "panel"),
    label("buffer"): CellMark("□", STATUS_WORDS["buffer"].counted, "dashed"),
}
"""Every mark, in the order in which the legend lists those that occur."""

_FEW = {
    "median_pct": "fewer than half its elements moved",
    "p95_pct": "fewer than one element in twenty moved",
}


def mark_meaning(mark: str, metric_key: str) -> str:
    """What a mark means where this metric is drawn."""
    return _FEW.get(metric_key, MARKS[mark].meaning) if mark == FEW_MOVED else MARKS[mark].meaning


CORNERED = frozenset({PARTIAL, SOME})
"""Marks that are a dark corner on the value's colour."""
