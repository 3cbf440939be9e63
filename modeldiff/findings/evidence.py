"""What a change table shows, as numbers that sentences are made of: computed once, in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from modeldiff.architectures import Place
from modeldiff.architectures.config.parameter_counts import part_of_component
from modeldiff.changes import Cell, Change, ChangeTable, Statistics, merge_statistics
from modeldiff.changes.statistics.histogram import histogram_quantile
from modeldiff.changes.statistics.merge_cache import merged
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.once import computed_once

TensorKind = Literal["matrices", "experts", "routers", "embeddings and head", "norms", "vectors"]
KINDS: tuple[TensorKind, ...] = (
    "matrices",
    "experts",
    "routers",
    "embeddings and head",
    "norms",
    "vectors",
)
"""Kinds of tensors that are never measured by one yardstick: ``matrices`` are those of the layers,
``experts`` the routed ones of a mixture, ``vectors`` biases and whatever else has one dimension."""
LEVEL_KINDS: tuple[TensorKind, ...] = ("matrices", "experts")
"""What levels of training and depth are read from."""
_FLOOR_OF_EXACT_TYPES = 1e-9


@dataclass(frozen=True)
class KindRows:
    """The rows of one kind, and those of them that moved.

    ``by`` is what they are ranked by: their medians, or relative Frobenius where the typical median
    lies below what the stored type can show (``each``: where any does).
    """

    kind: TensorKind
    rows: tuple[Change, ...]
    moved: tuple[Change, ...]
    each: bool = False

    @computed_once
    def by(self) -> Literal["median", "relative Frobenius"]:
        """The name of the number that ``extent`` gives."""
        medians = sorted(medians_of(self.moved))
        floors = [c.statistics.resolution_pct or 0.0 for c in self.moved if c.statistics]
        floor = max(floors, default=0.0) or _FLOOR_OF_EXACT_TYPES
        below = bool(medians) and medians[0 if self.each else len(medians) // 2] < floor
        return "relative Frobenius" if below else "median"

    def extent(self, statistics: Statistics | None) -> float | None:
        """How far that is, in percent, by ``by``; infinity counts."""
        if statistics is None:
            return None
        return statistics.median_pct if self.by == "median" else statistics.rel_frobenius_pct

    @computed_once
    def extents(self) -> tuple[float, ...]:
        """Those of the rows that moved, ascending; what is not known is left out."""
        values = (self.extent(change.statistics) for change in self.moved)
        return tuple(sorted(value for value in values if value is not None))


class Evidence:
    """The rows of a change table, sorted by what they can tell.

    ``compared`` have statistics, ``broken`` of them elements that are not finite. ``moved`` have an
    element that differs, ``equal`` are equal as a whole: a row may be neither, where what is not
    finite leaves it open. ``explained`` are places of which a witness says why they changed; their
    rows are in ``moved`` and in no kind. ``remainder_pct`` is how far they moved beside that;
    ``sampled``: some are explained by what samples of them show.
    """

    def __init__(
        self,
        changes: ChangeTable,
        explained: frozenset[Place] = frozenset(),
        remainder_pct: float = 0.0,
        *,
        sampled: bool = False,
    ):
        self.changes = changes
        self.explained = explained
        self.remainder_pct = remainder_pct
        self.sampled = sampled
        self.compared = [change for change in changes if change.statistics is not None]
        self.broken = [c for c in self.compared if nonfinite_of(c) != (0, 0)]
        self.moved = [c for c in self.compared if is_moved(c)]
        self.equal = [c for c in self.compared if is_equal(c)]
        self._of_kinds: dict[tuple[TensorKind, ...], Sequence[Change]] = {}
        self._wholes: dict[tuple[int, ...], tuple[Sequence[Statistics], Statistics]] = {}
        """By the identities of the parts, which are kept so that these stay theirs."""

    @property
    def elements(self) -> int:
        """Elements of one side that were compared: those that are finite in both."""
        return sum(map(compared_elements, self.compared))

    @computed_once
    def kinds(self) -> dict[TensorKind, KindRows]:
        """The rows that no witness explains, by kind, those kinds that occur."""
        members: dict[TensorKind, list[Change]] = {kind: [] for kind in KINDS}
        for change in self.compared:
            if change.pair.place not in self.explained:
                members[kind_of(change)].append(change)
        return {
            kind: KindRows(kind, tuple(rows), tuple(filter(is_moved, rows)))
            for kind, rows in members.items()
            if rows
        }

    def of_kinds(self, kinds: tuple[TensorKind, ...]) -> Sequence[Change]:
        """The rows of these kinds that no witness explains."""
        if kinds not in self._of_kinds:
            known = (self.kinds[kind] for kind in kinds if kind in self.kinds)
            self._of_kinds[kinds] = [change for each in known for change in each.rows]
        return self._of_kinds[kinds]

    def moved_of_kinds(self, kinds: tuple[TensorKind, ...]) -> Sequence[Change]:
        """Those of ``of_kinds`` that moved."""
        known = (self.kinds[kind] for kind in kinds if kind in self.kinds)
        return [change for each in known for change in each.moved]

    def merged_cells(self, rows: Iterable[Change]) -> Iterator[tuple[Place, Statistics]]:
        """The statistics of ``rows`` of the table, those of one cell merged, each with the place of
        its first row. Where they are all of a cell's, that is the table's own merge, which the
        heatmap shows, too."""
        cells: dict[Cell, list[Change]] = {}
        for change in rows:
            place = change.pair.place
            cells.setdefault((place.layer, place.column), []).append(change)
        for cell, own in cells.items():
            if len(own) == 1 and own[0].statistics is not None:
                statistics: Statistics | None = own[0].statistics
            elif len(own) == len(self.changes.cell(*cell)):
                statistics = self.changes.merged("cell")[cell]
            else:
                statistics = merged([c.statistics for c in own if c.statistics])
            if statistics is not None:
                yield own[0].pair.place, statistics

    def _merged(self, rows: Iterable[Change]) -> Statistics | None:
        parts = [statistics for _, statistics in self.merged_cells(rows)]
        if not parts:
            return None
        # What moved, what of it are matrices, and what is not explained are mostly the same rows.
        key = tuple(map(id, parts))
        known = self._wholes.get(key)
        if known is None:
            known = self._wholes[key] = parts, merge_statistics(parts)
        return known[1]

    @computed_once
    def moved_matrices(self) -> Statistics | None:
        """The layers' matrices that moved, merged. A norm's weights are all near one value, which
        would hide what the matrices' cosine and signs show."""
        return self._merged(self.moved_of_kinds(LEVEL_KINDS))

    @computed_once
    def whole(self) -> Statistics | None:
        """Everything compared, merged."""
        return self._merged(self.compared)

    @computed_once
    def all_moved(self) -> Moved | None:
        """All rows that moved and no witness explains, merged; None where there is none."""
        return self.merged_rows(c for c in self.moved if c.pair.place not in self.explained)

    def merged_rows(self, rows: Iterable[Change]) -> Moved | None:
        """Rows that moved, merged; None where there is none."""
        statistics = self._merged(rows)
        return None if statistics is None else Moved.of(statistics)

    @computed_once
    def where_moved(self) -> Moved | None:
        """The layers' matrices that moved, or where none did everything that moved; None where
        nothing did, or where equality is all that could be told."""
        matrices = self.moved_matrices
        return self.all_moved if matrices is None else Moved.of(matrices)


@dataclass(frozen=True)
class Moved:
    """Tensors that moved, merged, and of their elements that differ the middle step and the one
    that 99 % stay below, in percent of the base value."""

    statistics: Statistics
    middle_step_pct: float
    most_steps_pct: float

    @classmethod
    def of(cls, statistics: Statistics) -> Moved | None:
        """Of these statistics; None where they have no histogram, or nothing that differs."""
        if statistics.histogram is None or statistics.median_pct is None:
            return None
        if not statistics.histogram.counts.size and not statistics.histogram.infinite:
            return None
        steps = replace(statistics.histogram, zero=0)
        middle, most = (histogram_quantile(steps, percent) for percent in (50, 99))
        if middle is None or most is None:
            return None
        return cls(statistics, 100 * middle, 100 * most)

    @property
    def rounds_away(self) -> bool:
        """Whether most elements stood still and the others took no more of the type's steps than
        rounding a small dense update leaves."""
        floor = self.statistics.resolution_pct
        return (
            mostly_still(self.statistics)
            and bool(floor)
            and self.middle_step_pct <= 4 * (floor or 0.0)
        )

    @property
    def is_sparse(self) -> bool:
        """Whether most elements stood still and the others moved further than that."""
        return mostly_still(self.statistics) and not self.rounds_away


def mostly_still(statistics: Statistics) -> bool:
    """Whether most elements are equal, or their median step is too small for an exact type."""
    unchanged, median = statistics.unchanged_pct, statistics.median_pct
    if median is None or unchanged is None:
        return False
    return unchanged >= 50 or median < _FLOOR_OF_EXACT_TYPES


def kind_of(change: Change) -> TensorKind:
    """The kind of a compared row, by its place and shape."""
    place, tensor = change.pair.place, change.pair.base or change.pair.target
    is_vector = tensor is None or len(tensor.shape) < 2
    return _kind_at(place.component, place.layer is None, is_vector)


# A mixture of experts has tens of thousands of rows, and some twenty components.
@lru_cache(maxsize=4096)
def _kind_at(component: str, outside: bool, is_vector: bool) -> TensorKind:
    part = part_of_component(component, outside=outside)
    if part == "norms":
        return "norms"
    if is_vector:
        return "vectors"
    if part in ("embedding", "head"):
        return "embeddings and head"
    if component.endswith("router"):
        return "routers"
    return "experts" if part == "experts" else "matrices"


def nonfinite_of(change: Change) -> tuple[int, int]:
    """How many elements are NaN or infinite, in base and in target."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None:
        return 0, 0
    return statistics.sums.nonfinite_base, statistics.sums.nonfinite_target


def compared_elements(change: Change) -> int:
    """How many elements of a row were compared: all, but for those that are not finite in both."""
    statistics, tensor = change.statistics, change.pair.base
    if statistics is None or tensor is None:
        return 0
    if nonfinite_of(change) == (0, 0) or statistics.sums is None:
        return tensor.elements
    return statistics.sums.n


def is_moved(change: Change) -> bool:
    """Whether an element that is finite in both differs."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None:
        return False
    return statistics.sums.unchanged < statistics.sums.n


def is_equal(change: Change) -> bool:
    """Whether all elements are finite and equal."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None or nonfinite_of(change) != (0, 0):
        return False
    return statistics.sums.unchanged == statistics.sums.n


def medians_of(changes: Iterable[Change]) -> list[float]:
    """The exact medians of these rows, in percent, of those that have one."""
    return [
        c.statistics.median_pct
        for c in changes
        if c.statistics and c.statistics.median_pct is not None
    ]


def mean_frobenius(changes: Iterable[Change]) -> float | None:
    """The mean over these tensors of their relative Frobenius change, in percent."""
    values = [
        value
        for c in changes
        if c.statistics
        and (value := c.statistics.rel_frobenius_pct) is not None
        and math.isfinite(value)
    ]
    return math.fsum(values) / len(values) if values else None
