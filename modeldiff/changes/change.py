"""The values that a comparison is made of: pairs, and what was measured of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.place import Place
from modeldiff.changes.relation import Relation
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.made_quickly import made_quickly

Status = Literal[
    "compared",
    "different_shape",
    "only_in_base",
    "only_in_target",
    "tied",
    "buffer",
    "unreadable",
    "quantised",
]


PairId = tuple[str, int | None, str, str, int | None, str | None, str | None]
"""Tower, layer, component, parameter, expert, base's stored name and target's."""


@dataclass(frozen=True)
class SharedRows:
    """So many rows were ``compared`` of those that ``base`` and ``target`` have: the rows of equal
    tokens by their ``text``, or those of equal ``number``."""

    compared: int
    base: int
    target: int
    by: Literal["text", "number"]


@made_quickly
@dataclass(frozen=True, slots=True)
class Pair:
    """The tensors at one ``place``: ``base`` and ``target``, None on a side that lacks it.

    ``status`` is what becomes of them, and ``reason`` says why in a sentence where the status alone
    does not, else it is empty.

    Where ``shared`` is given, the two differ in their number of rows: ``base`` and ``target`` then
    are the rows that both have, in one order.
    """

    place: Place
    status: Status
    base: TensorInfo | None
    target: TensorInfo | None
    reason: str = ""
    shared: SharedRows | None = None

    @property
    def shapes(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """Base's and target's shape, with all rows that they have."""
        base = self.base.shape if self.base is not None else None
        target = self.target.shape if self.target is not None else None
        if self.shared is None or not base or not target:
            return base, target
        return (self.shared.base, *base[1:]), (self.shared.target, *target[1:])

    @property
    def id(self) -> PairId:
        """What tells a pair from the others of its comparison, whatever its status is by now."""
        place = self.place
        return (
            place.tower,
            place.layer,
            place.component,
            place.parameter,
            place.expert,
            self.base.name if self.base else None,
            self.target.name if self.target else None,
        )

    @property
    def target_layer(self) -> int | None:
        """The layer's number in target; None outside the layers and for what only base has."""
        if self.target is None and self.place.layers is None:
            return None
        return self.place.numbers.target

    @property
    def nbytes(self) -> int:
        """Bytes to read to measure this pair; 0 where nothing is measured."""
        if self.status != "compared" or self.base is None or self.target is None:
            return 0
        return self.base.nbytes + self.target.nbytes


@made_quickly
@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Counts of the relative change ``r`` in fixed logarithmic buckets, stored sparsely.

    ``buckets`` are ascending bucket numbers, ``counts`` their counts (see
    ``modeldiff.changes.statistics.histogram`` for the edges). ``zero`` counts ``r == 0`` and
    ``infinite`` ``r == inf``; neither is in a bucket. Two histograms add up.
    """

    zero: int
    infinite: int
    buckets: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.int64]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            self.zero == other.zero
            and self.infinite == other.infinite
            and np.array_equal(self.buckets, other.buckets)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]


@made_quickly
@dataclass(frozen=True, slots=True)
class Sums:
    """The sufficient statistics of a pair apart from order: they add up (``max`` by maximum).

    Over finite elements: ``n`` elements, ``unchanged`` with a == b, ``sign_flips`` with a*b < 0,
    ``base_zeros`` with a == 0; sums of a², b², a*b, (b-a)² and |b-a|; the largest |b-a|.
    """

    n: int = 0
    unchanged: int = 0
    sign_flips: int = 0
    base_zeros: int = 0
    nonfinite_base: int = 0
    nonfinite_target: int = 0
    base_squared: float = 0.0
    target_squared: float = 0.0
    product: float = 0.0
    delta_squared: float = 0.0
    abs_delta: float = 0.0
    max_abs_delta: float = 0.0


@made_quickly
@dataclass(frozen=True, slots=True, weakref_slot=True)
class Statistics:
    """What was measured of a pair (or of several, merged), as defined in docs/statistics.md.

    None is what can't be said (of no elements, or of integers); ``inf`` is a value. ``*_pct`` are
    percent. Of the relative change |b - a| / |a| of the elements: ``median_pct`` is its exact lower
    median, ``p05_pct``, ``p25_pct``, ``p75_pct``, ``p95_pct`` and ``p99_pct`` are its percentiles
    to within 1/128 of themselves. Of the whole tensors: ``rel_frobenius_pct`` is the norm of the
    difference beside base's, ``cosine`` that of the angle between them. Of the elements:
    ``unchanged_pct`` are equal, ``sign_flip_pct`` changed sign, ``base_zero_pct`` were 0 in base.
    In units of the weights: ``max_abs_delta`` and ``mean_abs_delta`` are the largest and the mean
    |b - a|, ``rms_base`` and ``rms_target`` the root mean squares. ``resolution_pct`` is the
    smallest relative step that the coarser stored type can take. ``nonfinite_base`` and
    ``nonfinite_target`` count the elements that are left out of all else. ``sums`` and
    ``histogram`` are what merges over several tensors.
    """

    median_pct: float | None = None
    p05_pct: float | None = None
    p25_pct: float | None = None
    p75_pct: float | None = None
    p95_pct: float | None = None
    p99_pct: float | None = None
    rel_frobenius_pct: float | None = None
    cosine: float | None = None
    unchanged_pct: float | None = None
    sign_flip_pct: float | None = None
    base_zero_pct: float | None = None
    max_abs_delta: float | None = None
    mean_abs_delta: float | None = None
    rms_base: float | None = None
    rms_target: float | None = None
    resolution_pct: float | None = None
    nonfinite_base: int | None = None
    nonfinite_target: int | None = None
    sums: Sums | None = field(default=None, repr=False)
    histogram: Histogram | None = field(default=None, repr=False)


@made_quickly
@dataclass(frozen=True, slots=True)
class Change:
    """One row of a change table: a ``pair`` and its ``statistics``, None unless its status is
    ``compared`` and it has been measured. ``relation`` is how target's tensor comes from base's
    otherwise than by training, where a sample of values shows it."""

    pair: Pair
    statistics: Statistics | None = None
    relation: Relation | None = None

    @property
    def waiting(self) -> bool:
        """Whether it is still to be measured."""
        return self.statistics is None and self.pair.status == "compared"


@dataclass(frozen=True)
class Progress:
    """How far a long act has come.

    ``phase`` is ``"fetching"`` (bytes of a download), ``"waiting"`` (another process measures the
    same pair), ``"compiling"`` (what measures, once a machine; ``current`` says how far that is) or
    ``"measuring"`` (bytes read of both sides). Bytes are counts since the act began;
    ``resumed_bytes`` of them were found in a journal and not read again.
    """

    phase: Literal["fetching", "waiting", "compiling", "measuring"]
    bytes_done: int
    bytes_total: int
    tensors_done: int
    tensors_total: int
    resumed_bytes: int = 0
    current: str = ""


ReportProgress = Callable[[Progress], None]
"""What a long act calls often to tell how far it is. An error that it raises ends the
act, ``Cancelled`` for one."""
