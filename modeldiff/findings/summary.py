"""Many rows in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from modeldiff.changes import Change, ChangeTable, Statistics, Status
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Summary:
    """A change table in short.

    ``statuses`` counts rows by status, those that occur. ``elements`` and ``nbytes`` are what was
    compared: elements of one side, bytes of both. ``statistics`` are those of all compared tensors
    together (None if there is none); their quantiles carry the precision of the histogram's
    buckets. ``most_changed`` and ``least_changed`` are rows in order of their median, at most as
    many as were asked for.
    """

    statuses: Mapping[Status, int]
    elements: int
    nbytes: int
    statistics: Statistics | None
    most_changed: tuple[Change, ...]
    least_changed: tuple[Change, ...]


def summarize(changes: ChangeTable, *, extremes: int = 5) -> Summary:
    """The summary of a change table. ``extremes``: how many most and least changed rows it has."""
    compared = [change for change in changes if change.statistics is not None]
    return Summary(
        statuses=changes.statuses,
        elements=sum(change.pair.base.elements for change in compared if change.pair.base),
        nbytes=sum(change.pair.nbytes for change in compared),
        statistics=changes.whole,
        most_changed=_by_median(compared, extremes, most=True),
        least_changed=_by_median(compared, extremes, most=False),
    )


def coarsest_step(changes: Iterable[Change]) -> float | None:
    """The coarsest of the stored types' finest steps, in percent of a value; None where a row has
    none, as one that a lossy type makes."""
    known = [c.statistics for c in changes if c.statistics and c.statistics.histogram is not None]
    steps = [each.resolution_pct for each in known]
    finite = [step for step in steps if step is not None]
    return max(finite) if finite and len(finite) == len(steps) else None


def _by_median(compared: Iterable[Change], count: int, *, most: bool) -> tuple[Change, ...]:
    """The ``count`` rows with the largest or smallest medians; infinity is the largest.

    Many medians of a light fine-tune are 0 (below the resolution of bf16): among equals the
    relative Frobenius change decides, then the order of the table.
    """

    def extent(change: Change) -> tuple[float, float]:
        statistics = change.statistics
        assert statistics is not None and statistics.median_pct is not None
        frobenius = statistics.rel_frobenius_pct
        return statistics.median_pct, math.inf if frobenius is None else frobenius

    with_median = (
        change
        for change in compared
        if change.statistics is not None and change.statistics.median_pct is not None
    )
    return tuple(sorted(with_median, key=extent, reverse=most)[:count])
