"""One thread's worker on the CPU: buffers to read into, and kernels that measure what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.accumulator import (
    Accumulator,
    MedianSearch,
    OwnAccumulators,
    PartialMedian,
    quantiles_of,
)
from modeldiff.changes.backends.cores import MOST_THREADS, usable_cores
from modeldiff.changes.backends.median_bracket import CLUSTER, CLUSTERS, Bracket, bracket_of
from modeldiff.changes.change import Histogram, Statistics
from modeldiff.changes.dtype_pairs import DtypePair, decoder, equal_elements
from modeldiff.changes.kernels.bins import (
    ALL_KEPT,
    BLOCK,
    EMPTY_COUNTS,
    KEYS32,
    KEYS64,
    LEAF,
    LOWEST_KEY,
    NO_KEY,
    QUANTILES,
    TABLES,
    UNCHANGED,
)
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.changes.statistics.many_statistics import statistics_of_many
from modeldiff.processes.late_dataclass import dataclass

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes

CHUNK_BYTES = 2 << 20
"""Bytes of the wider side that are read and measured at once."""
_LINE = 64
"""Bytes of a line of the cache."""
BATCHED = 4 * LEAF
"""Up to so many elements keeping every ``r`` costs less than a sample."""


def chunk_elements(types: DtypePair, chunk_bytes: int) -> int:
    """Elements of a chunk: whole leaves, at least one."""
    wider = max(types.base.bits, types.target.bits)
    return max(chunk_bytes * 8 // wider // LEAF, 1) * LEAF


class CpuWorker:
    """Measures chunks that stand in its two buffers. Belongs to one thread at a time.

    ``base`` and ``target`` are the buffers, ``room`` bytes each (a leaf of float64 at least), its
    own or lent to it.
    """

    reads_in_place = True

    def __init__(
        self,
        room: int = CHUNK_BYTES,
        buffers: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]] | None = None,
    ) -> None:
        room = max(room, LEAF * 8)
        self.use(*(buffers or (_lines(room), _lines(room))))
        size = self._buffers[0].size
        self._kernels = kernels()
        # Room for every r of a chunk: four bytes for each element of at least one byte, or eight
        # for each of eight. Memory that is never written is never taken.
        self._kept = np.empty(size + 2, np.uint32)
        self._scratch = _lines(6 * BLOCK * 4).view(np.uint32)
        self._tables = np.zeros((TABLES, KEYS32 + 64), np.uint32)
        self._wide_table = np.zeros(KEYS64, np.uint32)
        self._fine = np.zeros(65536, np.uint32)
        self._counts = np.zeros(8, np.int64)
        self._accumulators = OwnAccumulators(size)
        self._sample = np.empty((2, LEAF * 4), np.uint8)
        self._batch_histogram = np.zeros(KEYS32, np.int64)
        # Room for a bucket an element; what is not written is not taken, and not given back either.
        self._buckets = np.empty(size, np.uint16)
        self._bucket_counts = np.empty(size, np.int64)
        self._batch_leaves = np.empty((BATCHED // LEAF, 6))
        self._kept_at, self._scratch_at = self._kept.ctypes.data, self._scratch.ctypes.data
        self._tables_at, self._fine_at = self._tables.ctypes.data, self._fine.ctypes.data
        self._wide_table_at, self._counts_at = (
            self._wide_table.ctypes.data,
            self._counts.ctypes.data,
        )

    def use(self, base: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> None:
        """Measure what stands in these buffers from now on; neither is larger than those before."""
        self._buffers = (base, target)
        self._values = [base, target]
        self._buffers_at = (base.ctypes.data, target.ctypes.data)
        self._at = [*self._buffers_at]

    @property
    def base(self) -> npt.NDArray[np.uint8]:
        """The buffer for base's bytes, which is looked at from now on."""
        return self._to_fill(0)

    @property
    def target(self) -> npt.NDArray[np.uint8]:
        """The buffer for target's bytes, which is looked at from now on."""
        return self._to_fill(1)

    def _to_fill(self, side: int) -> npt.NDArray[np.uint8]:
        self._at[side] = self._buffers_at[side]
        self._values[side] = self._buffers[side]
        return self._buffers[side]

    def look_at(self, side: int, values: npt.NDArray[np.uint8], at: int) -> None:
        """Measure these bytes, which begin at this address, in place of base's buffer (0) or
        target's (1), until that is asked for again."""
        self._at[side] = at
        self._values[side] = values

    def measure_batch(self, types: DtypePair, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors that stand in the buffers one after the other.

        ``sizes`` are their elements, at most BATCHED each. The types' precision is float32.
        """
        batch = len(sizes)
        lengths = np.array(sizes, np.int64)
        sums = np.empty((batch, 6))
        counts, quantiles = (
            np.empty((batch, 8), np.int64),
            np.empty((batch, QUANTILES + 1), np.int64),
        )
        sums_at, counts_at, quantiles_at = (
            array.ctypes.data for array in (sums, counts, quantiles)
        )
        listed = self._kernels.measure_batch(
            *self._sides(types, *self._at),
            lengths.ctypes.data,
            batch,
            self._scratch_at,
            self._tables_at,
            self._batch_histogram.ctypes.data,
            self._kept_at,
            self._fine_at,
            self._batch_leaves.ctypes.data,
            counts_at,
            sums_at,
            quantiles_at,
            self._buckets.ctypes.data,
            self._bucket_counts.ctypes.data,
        )
        buckets = self._buckets[:listed].copy()
        bucket_counts = self._bucket_counts[:listed].copy()
        histograms = []
        start = 0
        for unchanged, own_listed, infinite in counts[:, [UNCHANGED, 6, 7]].tolist():
            stop = start + own_listed
            histograms.append(
                Histogram(unchanged, infinite, buckets[start:stop], bucket_counts[start:stop])
            )
            start = stop
        medians = quantiles[:, QUANTILES].astype(np.uint32).view(np.float32)
        return statistics_of_many(
            counts[:, :6],
            sums,
            quantiles_of(quantiles[:, :QUANTILES], medians),
            histograms,
            types.resolution_pct,
        )

    def measure_whole(self, types: DtypePair, n: int) -> Statistics:
        """The statistics of a tensor that stands in the buffers whole."""
        if n <= BATCHED and types.precision == "float32":
            return self.measure_batch(types, [n])[0]
        bracket = Bracket(0, ALL_KEPT)
        if types.precision == "float32":
            bracket = self.bracket_of_whole(types, n)
        accumulator = self._accumulators.empty(n, types)
        kept = self._measure(types, n, accumulator, 0, bracket)
        median = accumulator.find_median()
        if isinstance(median, PartialMedian):
            median = median.pick(kept, bracket)
        while isinstance(median, PartialMedian):
            search = MedianSearch(median)
            self.refine(types, n, search)
            median = search.narrow()
        return accumulator.statistics(median)

    def bracket(self, types: DtypePair) -> Bracket:
        """A bracket for the median of a tensor of which a sample, a leaf in clusters, stands in
        the buffers."""
        return self._bracket(types, *self._at)

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator."""
        accumulator.keep(self._measure(types, n, accumulator, first, accumulator.bracket))

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        self._fine[:] = 0
        chunk = (*self._sides(types, *self._at), n)
        if types.precision == "float64":
            self._kernels.refine64(
                *chunk, search.prefix, search.shift, self._scratch_at, self._fine_at
            )
        else:
            self._kernels.refine32(*chunk, search.prefix, self._scratch_at, self._fine_at)
        with search.lock:
            search.fine += self._fine

    def decodes(self, types: DtypePair) -> frozenset[CodeKind]:
        """None: its buffers have values."""
        return frozenset()

    def hold_codes(self, side: int, codes: StoredCodes) -> None:
        """Never called, as it decodes none."""
        raise NotImplementedError

    def after(self, act: Callable[[], None]) -> None:
        """At once: what was measured is where it belongs."""
        act()

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to give back that does not go with the worker."""

    def _sides(self, types: DtypePair, base_at: int, target_at: int) -> tuple[int, ...]:
        return base_at, *decoder(types.base), target_at, *decoder(types.target)

    def bracket_of_whole(self, types: DtypePair, n: int) -> Bracket:
        """A bracket for the median of a tensor of at least a leaf that stands in the buffers
        whole."""
        sample = self._sample
        for side, stored, clusters in (
            (self._values[0], types.base, sample[0]),
            (self._values[1], types.target, sample[1]),
        ):
            width = stored.bits // 8
            parts = side[: n // CLUSTERS * CLUSTERS * width].reshape(CLUSTERS, -1)
            clusters[: LEAF * width].reshape(CLUSTERS, -1)[:] = parts[:, : CLUSTER * width]
        return self._bracket(types, sample[0].ctypes.data, sample[1].ctypes.data)

    def _bracket(self, types: DtypePair, base_at: int, target_at: int) -> Bracket:
        if types.precision != "float32":
            return Bracket()
        chunk = (*self._sides(types, base_at, target_at), LEAF)
        accumulator = self._accumulators.empty(LEAF, types)
        r_bits = self._measure32(chunk, accumulator, 0, Bracket(0, ALL_KEPT))
        bracket = bracket_of(r_bits, accumulator.histogram, int(accumulator.counts[UNCHANGED]))
        accumulator.histogram[:] = 0
        return bracket

    def _measure(
        self, types: DtypePair, n: int, accumulator: Accumulator, first: int, bracket: Bracket
    ) -> npt.NDArray[np.unsignedinteger]:
        """Measures ``n`` elements into the accumulator; the bits of the ``r`` that were kept, in a
        buffer that is used again."""
        if types.precision == "equality":
            base = self._values[0][: n * types.base.bits // 8]
            target = self._values[1][: n * types.target.bits // 8]
            equal = equal_elements(base, target, types)
            with accumulator.lock:
                accumulator.counts[:2] += n, equal
            return self._kept[:0]
        chunk = (*self._sides(types, *self._at), n)
        if types.precision == "float64":
            return self._measure64(chunk, accumulator, first)
        return self._measure32(chunk, accumulator, first, bracket)

    def _measure32(
        self, chunk: tuple[int, ...], accumulator: Accumulator, first: int, bracket: Bracket
    ) -> npt.NDArray[np.uint32]:
        self._counts[:] = EMPTY_COUNTS
        kept = self._kernels.measure32(
            *chunk,
            bracket.low,
            bracket.width,
            self._scratch_at,
            self._tables_at,
            accumulator.leaf_at(first),
            self._counts_at,
            self._kept_at,
        )
        low, high = self._counts[LOWEST_KEY:].tolist()
        with accumulator.lock:
            changed = 0
            if low != NO_KEY:
                changed = self._kernels.flush32(
                    self._tables_at, low, high, accumulator.histogram_at
                )
            accumulator.add_counts(self._counts, changed)
        return self._kept[:kept]

    def _measure64(
        self, chunk: tuple[int, ...], accumulator: Accumulator, first: int
    ) -> npt.NDArray[np.uint64]:
        self._counts[:] = EMPTY_COUNTS
        kept = self._kernels.measure64(
            *chunk,
            self._scratch_at,
            self._wide_table_at,
            accumulator.leaf_at(first),
            self._counts_at,
            self._kept_at,
        )
        low, high = self._counts[LOWEST_KEY:].tolist()
        table = self._wide_table[low : high + 1]
        with accumulator.lock:
            accumulator.histogram[low : high + 1] += table
            accumulator.add_counts(self._counts, kept)
        table[:] = 0
        return self._kept[: 2 * kept].view(np.uint64)


def _lines(nbytes: int) -> npt.NDArray[np.uint8]:
    """Memory that begins with a line of the cache: a vector of 64 bytes that lies in two lines
    takes twice as long to be stored, and NumPy's begins at any 16 bytes."""
    memory = np.empty(nbytes + _LINE, np.uint8)
    first = -memory.ctypes.data % _LINE
    return memory[first : first + nbytes]


@dataclass(frozen=True)
class CpuBackend:
    """A thread for each core that this process may use, up to where memory is the limit."""

    threads: int = field(default_factory=lambda: min(usable_cores(), MOST_THREADS))
    chunk_bytes: int = CHUNK_BYTES

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        return chunk_elements(types, self.chunk_bytes)

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        return min(BATCHED, self.chunk_elements(types)) if types.precision == "float32" else -1

    def worker(self, chunk_bytes: int = 0) -> CpuWorker:
        """A new worker; the first compiles the kernels where no cache has them. Its chunks are of
        ``chunk_bytes`` where that is more than its own."""
        return CpuWorker(max(self.chunk_bytes, chunk_bytes))
