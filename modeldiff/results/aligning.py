"""When the layers of a comparison are aligned by content: where depths differ before anything is
measured, and else where what was measured by number shows layers that have nothing in common."""

from __future__ import annotations

from collections.abc import Callable

from modeldiff.changes import ChangeTable, Progress
from modeldiff.changes.alignment.align import (
    Doubted,
    align_layers,
    layers_of_one_side,
    strange_layers,
)
from modeldiff.comparison import Comparison

_DOING = "aligning the layers"
_Report = Callable[[Progress], None]


def aligned_by_depth(comparison: Comparison, report: _Report) -> Comparison:
    """The comparison with layers that meet by content, where the two have different ones; itself
    where they do not, or where ``layers`` is ``position``. ``report`` is told what is downloaded
    for it, and called while values are looked at. Raises ``CheckpointChanged``, and what fetching
    and ``report`` raise."""
    if comparison.layers == "position" or comparison.alignment:
        return comparison
    doubted = layers_of_one_side(comparison.base.architecture, comparison.target.architecture)
    return _aligned(comparison, doubted, report, 0)


def aligned_by_values(comparison: Comparison, changes: ChangeTable, report: _Report) -> Comparison:
    """The same where ``changes``, which are its rows, show layers that have nothing in common."""
    if comparison.layers == "position" or comparison.alignment:
        return comparison
    return _aligned(comparison, strange_layers(changes), report, comparison.nbytes)


def _aligned(
    comparison: Comparison, doubted: Doubted, report: _Report, measured: int
) -> Comparison:
    """``measured`` is how many bytes of the comparison were measured before."""
    if not doubted:
        return comparison
    compared = comparison.unmeasured.statuses.get("compared", 0)
    rows = compared if measured else 0
    now = Progress("measuring", measured, comparison.nbytes, rows, compared, current=_DOING)

    def fetching(here: int, total: int) -> None:
        report(Progress("fetching", here, total, 0, 0, current=_DOING))

    sides = ((side.architecture, side.checkpoint) for side in (comparison.base, comparison.target))
    base, target = sides
    return comparison.aligned(align_layers(base, target, doubted, fetching, lambda: report(now)))
