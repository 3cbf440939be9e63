"""What a change table shows, as numbers that sentences are made of: computed once, in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from modeldiff.architectures.config.parameter_counts import part_of
from modeldiff.changes import Change, ChangeTable, Statistics, merge_statistics
from modeldiff.changes.statistics.histogram import histogram_quantile


class Evidence:
    """The rows of a change table, sorted by what they can tell.

    ``compared`` have statistics; ``matrices`` of them have two dimensions or more, ``norms`` are
    the norms' parameters. ``moved`` have an element that differs.
    """

    def __init__(self, changes: ChangeTable) -> None:
        self.changes = changes
        self.compared = [change for change in changes if change.statistics is not None]
        self.norms = [c for c in self.compared if part_of(c.pair.place) == "norms"]
        self.matrices = [
            c
            for c in self.compared
            if c.pair.base and len(c.pair.base.shape) > 1 and part_of(c.pair.place) != "norms"
        ]
        self.moved = [c for c in self.compared if is_moved(c)]

    @property
    def elements(self) -> int:
        """Elements of one side that were compared."""
        return sum(change.pair.base.elements for change in self.compared if change.pair.base)

    @cached_property
    def moved_by_layer(self) -> dict[tuple[str, int | None], Statistics]:
        """The matrices that moved, of each tower's layers (None: outside them), merged."""
        groups: dict[tuple[str, int | None], list[Statistics]] = {}
        for change in self.matrices:
            place = change.pair.place
            if change.statistics is not None and is_moved(change):
                groups.setdefault((place.tower, place.layer), []).append(change.statistics)
        return {key: merge_statistics(found) for key, found in groups.items()}

    @cached_property
    def layer_numbers(self) -> dict[tuple[str, int | None], int]:
        """What people call each layer of ``moved_by_layer``: by its number in base, or in target
        where base has no such layer."""
        places = (change.pair.place for change in self.matrices)
        return {
            (place.tower, place.layer): place.layer_number
            for place in places
            if place.layer_number is not None
        }

    @cached_property
    def all_matrices(self) -> Statistics | None:
        """All matrices, merged. A norm's weights are all near one value, which would hide what the
        matrices' cosine and signs show."""
        found = [c.statistics for c in self.matrices if c.statistics and not is_moved(c)]
        found += self.moved_by_layer.values()
        return merge_statistics(found) if found else None

    @cached_property
    def whole(self) -> Statistics | None:
        """Everything compared, merged."""
        matrices = {id(change) for change in self.matrices}
        found = [c.statistics for c in self.compared if c.statistics and id(c) not in matrices]
        if self.all_matrices is not None:
            found.append(self.all_matrices)
        return merge_statistics(found) if found else None

    @cached_property
    def where_moved(self) -> Moved | None:
        """What moved, without the tensors that are equal as a whole; None where nothing did, or
        where equality is all that could be told."""
        matrices = {id(change) for change in self.matrices}
        found = [c.statistics for c in self.moved if c.statistics and id(c) not in matrices]
        merged = merge_statistics([*found, *self.moved_by_layer.values()])
        if merged.histogram is None or merged.median_pct is None or merged.unchanged_pct is None:
            return None
        steps = replace(merged.histogram, zero=0)
        middle, most = (histogram_quantile(steps, percent) for percent in (50, 99))
        if middle is None or most is None:
            return None
        return Moved(merged, 100 * middle, 100 * most)

    @cached_property
    def below_floor(self) -> bool:
        """Whether the typical matrix that moved did so by less than a median can show."""
        matrices = [change for change in self.matrices if is_moved(change)]
        ranked = sorted(medians_of(matrices or self.moved))
        if not ranked:
            return False
        floor = self.all_matrices.resolution_pct if self.all_matrices else None
        return ranked[len(ranked) // 2] < (floor or 1e-9)

    def extent(self, change: Change) -> float:
        """How far a row moved, in percent: its median, or where the typical median lies below the
        floor its relative Frobenius change. Unknown is -1, infinity counts."""
        statistics = change.statistics
        if statistics is None:
            return -1.0
        value = statistics.rel_frobenius_pct if self.below_floor else statistics.median_pct
        return -1.0 if value is None else value

    def mean_frobenius(self, changes: Iterable[Change]) -> float | None:
        """The mean over these tensors of their relative Frobenius change, in percent."""
        values = [
            value
            for c in changes
            if c.statistics
            and (value := c.statistics.rel_frobenius_pct) is not None
            and math.isfinite(value)
        ]
        return math.fsum(values) / len(values) if values else None


@dataclass(frozen=True)
class Moved:
    """The tensors that are not equal as a whole, merged, and of their elements that differ the
    middle step and the one that 99 % stay below, in percent of the base value."""

    statistics: Statistics
    middle_step_pct: float
    most_steps_pct: float


def is_moved(change: Change) -> bool:
    """Whether an element differs (or something was compared that nothing is known of)."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None:
        return False
    return statistics.sums.unchanged < statistics.sums.n


def medians_of(changes: Iterable[Change]) -> list[float]:
    """The exact medians of these rows, in percent, of those that have one."""
    return [
        c.statistics.median_pct
        for c in changes
        if c.statistics and c.statistics.median_pct is not None
    ]
