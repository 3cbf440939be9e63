"""Many rows in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from modeldiff.changes import Change, Statistics, Status, merge_statistics

_Group = TypeVar("_Group", bound=Hashable)


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


def summarize(changes: Sequence[Change], *, extremes: int = 5) -> Summary:
    """The summary of a change table. ``extremes``: how many most and least changed rows it has."""
    statuses: dict[Status, int] = {}
    for change in changes:
        statuses[change.pair.status] = statuses.get(change.pair.status, 0) + 1
    compared = [change for change in changes if change.statistics is not None]
    return Summary(
        statuses=statuses,
        elements=sum(change.pair.base.elements for change in compared if change.pair.base),
        nbytes=sum(change.pair.nbytes for change in compared),
        statistics=merge_by(compared, lambda _: None).get(None),
        most_changed=_by_median(compared, extremes, most=True),
        least_changed=_by_median(compared, extremes, most=False),
    )


def merge_by(
    changes: Iterable[Change], group: Callable[[Change], _Group]
) -> dict[_Group, Statistics]:
    """The merged statistics of each group of rows, groups in the order in which they first occur.

    Rows without statistics belong to no group. Quantiles of several rows carry the precision of
    the histogram's buckets; a row alone in its group keeps its own.
    """
    members: dict[_Group, list[Statistics]] = {}
    for change in changes:
        if change.statistics is not None:
            members.setdefault(group(change), []).append(change.statistics)
    return {
        name: statistics[0] if len(statistics) == 1 else merge_statistics(statistics)
        for name, statistics in members.items()
    }


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
