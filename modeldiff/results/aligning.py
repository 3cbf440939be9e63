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

_Report = Callable[[Progress], None]


def aligned_by_depth(comparison: Comparison, report: _Report) -> Comparison:
    """The comparison with layers that meet by content, where the two have different ones; itself
    where they do not, or where ``layers`` is ``position``. ``report`` is told what is downloaded
    for it. Raises ``CheckpointChanged``, and what fetching raises."""
    if comparison.layers == "position" or comparison.alignment:
        return comparison
    doubted = layers_of_one_side(comparison.base.architecture, comparison.target.architecture)
    return _aligned(comparison, doubted, report)


def aligned_by_values(comparison: Comparison, changes: ChangeTable, report: _Report) -> Comparison:
    """The same where ``changes``, which are its rows, show layers that have nothing in common."""
    if comparison.layers == "position" or comparison.alignment:
        return comparison
    return _aligned(comparison, strange_layers(changes), report)


def _aligned(comparison: Comparison, doubted: Doubted, report: _Report) -> Comparison:
    if not doubted:
        return comparison

    def fetching(here: int, total: int) -> None:
        report(Progress("fetching", here, total, 0, 0, current="to align the layers"))

    sides = ((side.architecture, side.checkpoint) for side in (comparison.base, comparison.target))
    base, target = sides
    return comparison.aligned(align_layers(base, target, doubted, fetching))
