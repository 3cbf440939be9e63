"""What has been counted of one pair so far, and what follows from it."""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.change import Histogram, Statistics, Sums
from modeldiff.changes.dtype_pairs import DtypePair
from modeldiff.changes.kernels.bins import (
    EMPTY_COUNTS,
    HIGHEST_KEY,
    INFINITE_KEY32,
    INFINITE_KEY64,
    KEY64_OFFSET,
    KEYS32,
    KEYS64,
    KEYS_A_BUCKET,
    LEAF,
    LOWEST_KEY,
    MEDIAN,
    PERCENTS,
    QUANTILES,
    UNCHANGED,
)
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.changes.statistics.histogram import bucket_of, empty_histogram
from modeldiff.changes.statistics.statistics import Quantiles, statistics_of
from modeldiff.processes.late_dataclass import dataclass

_KEPT_LIMIT = 1 << 23
"""How many ``r`` in a bracket are kept: 32 MiB."""


@dataclass(frozen=True)
class PartialMedian:
    """A median of which only the upper bits are known: ``r >> bits == prefix``, and its rank among
    the elements that share them. ``wide``: ``r`` is a float64."""

    prefix: int
    bits: int
    rank: int
    wide: bool

    def pick(
        self, r_bits: npt.NDArray[np.unsignedinteger], bracket: Bracket
    ) -> float | PartialMedian:
        """The median, if these are the bits of all ``r`` in a bracket that holds it.

        Overwrites ``r_bits``, which may have bits of no ``r`` among them.
        """
        if self.wide:
            r = r_bits[(r_bits >> np.uint64(self.bits)) == self.prefix].view(np.float64)
            return float(np.partition(r, self.rank)[self.rank]) if self.rank < r.size else self
        if not bracket.holds(self.prefix):
            return self
        fine = np.empty(256, np.uint32)
        low_bits = kernels().pick32(
            r_bits.ctypes.data, r_bits.size, self.prefix, self.rank, fine.ctypes.data
        )
        return single(self.prefix << 16 | low_bits)


class Accumulator:
    """Counts, sums and histogram of one pair; ``bins`` says what stands in the arrays.

    ``elements`` is the size of the largest tensor that it can take. Whoever adds to it from several
    threads holds ``lock``; the order in which chunks are added changes nothing.
    """

    def __init__(self, elements: int, types: DtypePair) -> None:
        self._wide = types.precision == "float64"
        self.lock = threading.Lock()
        self.counts = np.zeros(8, np.int64)
        self.leaves = np.zeros((-(-elements // LEAF), 6))
        self.histogram = np.zeros(KEYS64 if self._wide else KEYS32, np.int64)
        self._quantile_keys = np.empty(QUANTILES + 1, np.int64)
        self._summary = empty_histogram()
        self._leaves_at = self.leaves.ctypes.data
        self.histogram_at = self.histogram.ctypes.data
        self.begin(elements, types)

    def begin(self, elements: int, types: DtypePair) -> None:
        """Makes an emptied accumulator ready for another tensor, of the same precision."""
        self._types = types
        self.counts[:] = EMPTY_COUNTS
        self._rows = -(-elements // LEAF)
        self.leaves[: self._rows] = 0.0
        self.bracket = Bracket()
        self._kept: list[npt.NDArray[np.uint32]] = []
        self._kept_size = 0

    def leaf_at(self, first: int) -> int:
        """The address of the sums of the leaf that begins with element ``first``."""
        return self._leaves_at + first // LEAF * self.leaves.itemsize * 6

    def add_counts(self, counts: npt.NDArray[np.int64], changed: int) -> None:
        """Adds a chunk's eight counts, of which the unchanged follow from the changed."""
        self.counts[:6] += counts[:6]
        self.counts[UNCHANGED] += counts[0] - changed
        self.counts[LOWEST_KEY] = min(self.counts[LOWEST_KEY], counts[LOWEST_KEY])
        self.counts[HIGHEST_KEY] = max(self.counts[HIGHEST_KEY], counts[HIGHEST_KEY])

    def keep(self, r_bits: npt.NDArray[np.unsignedinteger]) -> None:
        """Adds a chunk's ``r`` in the bracket; gives the bracket up if they become too many."""
        if r_bits.size == 0:
            return
        with self.lock:
            if self.bracket.width == 0:
                return
            self._kept_size += r_bits.size
            if self._kept_size > _KEPT_LIMIT:
                self._forget_kept()
            else:
                self._kept.append(r_bits.astype(np.uint32))

    def drop_bracket(self) -> None:
        """Gives the bracket up: not all ``r`` in it could be kept."""
        with self.lock:
            self._forget_kept()

    def kept_bits(self) -> npt.NDArray[np.uint32]:
        """The bits of all ``r`` that were kept, in no order."""
        return np.concatenate([np.empty(0, np.uint32), *self._kept])

    def _forget_kept(self) -> None:
        self.bracket = Bracket()
        self._kept = []

    def find_median(self) -> float | PartialMedian | None:
        """The median of ``r``, or what the histogram tells of it; None where there is none.

        To be called when all is counted, and before ``statistics``.
        """
        if self._types.precision == "equality":
            return None
        if self._wide:
            self._summarize_wide()
        else:
            self._summarize()
        n, key, rank = (
            int(x) for x in (self.counts[0], self._quantile_keys[MEDIAN], self._quantile_keys[-1])
        )
        if n == 0:
            return None
        if key < 0:
            return 0.0
        if key == (INFINITE_KEY64 if self._wide else INFINITE_KEY32):
            return math.inf
        if self._wide:
            return PartialMedian(key + KEY64_OFFSET, 45, rank, wide=True)
        place = PartialMedian(key, 16, rank, wide=False)
        return place.pick(np.concatenate(self._kept), self.bracket) if self._kept else place

    def statistics(self, median: float | None) -> Statistics:
        """All columns, given the exact median of ``r``. Empties the accumulator."""
        counts = self.counts.tolist()
        if self._types.precision == "equality":
            return statistics_of(Sums(n=counts[0], unchanged=counts[1]), None, None, None)
        leaves = self.leaves[: self._rows]
        sums = leaves.sum(axis=0)
        sums[5] = leaves[:, 5].max(initial=0.0)
        self.histogram[:] = 0
        keys = self._quantile_keys[:QUANTILES].tolist()
        return pair_statistics(self._types, counts, sums.tolist(), keys, median, self._summary)

    def _summarize(self) -> None:
        """Finds the keys at the quantiles, the median's rank in its key, and the histogram."""
        buckets = np.empty(KEYS32 // KEYS_A_BUCKET, np.uint16)
        sizes = np.empty(KEYS32 // KEYS_A_BUCKET, np.int64)
        listed = kernels().summarize32(
            self.histogram_at,
            self.counts.ctypes.data,
            self._quantile_keys.ctypes.data,
            buckets.ctypes.data,
            sizes.ctypes.data,
        )
        self._summary = Histogram(
            int(self.counts[UNCHANGED]),
            int(self.histogram[INFINITE_KEY32]),
            buckets[:listed].copy(),
            sizes[:listed].copy(),
        )

    def _summarize_wide(self) -> None:
        """The same for float64."""
        n, unchanged = self.counts[:2].tolist()
        upto = unchanged + np.cumsum(self.histogram)
        for quantile, percent in enumerate(PERCENTS):
            rank = percent * (n - 1) // 100
            key = int(np.searchsorted(upto, rank, side="right")) if rank >= unchanged else -1
            self._quantile_keys[quantile] = key
            if quantile == MEDIAN:
                below = int(upto[key] - self.histogram[key])
                self._quantile_keys[QUANTILES] = rank - below
        (keys,) = np.nonzero(self.histogram[:INFINITE_KEY64])
        edges = ((keys + KEY64_OFFSET) << 45).view(np.float64)
        dense = np.bincount(bucket_of(edges), self.histogram[keys])
        (buckets,) = np.nonzero(dense)
        self._summary = Histogram(
            unchanged,
            int(self.histogram[INFINITE_KEY64]),
            buckets.astype(np.uint16),
            dense[buckets].astype(np.int64),
        )


class OwnAccumulators:
    """A worker's own accumulators for tensors that are measured whole: one, and one for float64.

    ``elements`` is the size of the largest tensor that they can take.
    """

    def __init__(self, elements: int) -> None:
        self._elements = elements
        self._by_width: dict[bool, Accumulator] = {}

    def empty(self, elements: int, types: DtypePair) -> Accumulator:
        """The accumulator for these types, ready for a tensor of ``elements`` elements."""
        wide = types.precision == "float64"
        accumulator = self._by_width.get(wide)
        if accumulator is None:
            accumulator = self._by_width[wide] = Accumulator(self._elements, types)
        accumulator.begin(elements, types)
        return accumulator


def pair_statistics(
    types: DtypePair,
    counts: Sequence[int],
    sums: Sequence[float],
    keys: Sequence[int],
    median: float | None,
    histogram: Histogram,
) -> Statistics:
    """The columns of a pair from its counts and sums in the order of ``bins``, the keys at its
    quantiles (-1: unchanged) and its exact median.

    Quantiles are the middles of their keys, at most 1/256 off; those in the median's key are it.
    """
    total = Sums(*counts[:6], *sums)
    quantiles: Quantiles | None = None
    if median is not None:
        middle = _middle64 if types.precision == "float64" else _middle32
        p05, p25, p50, p75, p95, p99 = [
            median if key == keys[MEDIAN] else middle(key) if key >= 0 else 0.0 for key in keys
        ]
        quantiles = p05, p25, p50, p75, p95, p99
    return statistics_of(total, quantiles, histogram, types.resolution_pct)


def quantiles_of(
    keys: npt.NDArray[np.int64], medians: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """The ``r`` at the quantiles of many tensors of float32, a row each, as ``pair_statistics`` has
    them: ``keys`` are those at their quantiles, ``medians`` their exact medians."""
    middles = ((2 * np.maximum(keys, 0) + 1) << 15).astype(np.uint32).view(np.float32)
    r = np.where(keys < INFINITE_KEY32, np.where(keys < 0, np.float32(0), middles), np.inf)
    exact = keys == keys[:, MEDIAN : MEDIAN + 1]
    return np.where(exact, medians[:, np.newaxis], r).astype(np.float64)


@cache
def _middle32(key: int) -> float:
    return single((2 * key + 1) << 15) if key < INFINITE_KEY32 else math.inf


def _middle64(key: int) -> float:
    return double((2 * (key + KEY64_OFFSET) + 1) << 44) if key < INFINITE_KEY64 else math.inf


class MedianSearch:
    """Finds sixteen more bits of a median in a pass over its tensors.

    To be counted in ``fine`` are the sixteen bits at ``shift`` of all ``r`` that have the bits
    ``prefix`` above them. Whoever adds from several threads holds ``lock``.
    """

    def __init__(self, place: PartialMedian) -> None:
        self._place = place
        self.lock = threading.Lock()
        self.fine = np.zeros(65536, np.int64)
        self.shift = max(place.bits - 16, 0)
        self.prefix = place.prefix >> (self.shift + 16 - place.bits)

    def narrow(self) -> float | PartialMedian:
        """The median, when all is counted; where it is to be looked for if bits are missing."""
        place = self._place
        # The last step of a float64 has fewer than sixteen unknown bits: the sixteen that were
        # counted begin with some that are known.
        new = place.bits - self.shift
        first = (place.prefix << new) & 0xFFFF if new < 16 else 0
        upto = np.cumsum(self.fine[first : first + (1 << new)])
        digit = int(np.searchsorted(upto, place.rank, side="right"))
        rank = place.rank - (int(upto[digit - 1]) if digit else 0)
        known = place.prefix << new | digit
        if self.shift:
            return PartialMedian(known, self.shift, rank, place.wide)
        return double(known) if place.wide else single(known)


def single(bits: int) -> float:
    """The float32 with these bits."""
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def double(bits: int) -> float:
    """The float64 with these bits."""
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])
