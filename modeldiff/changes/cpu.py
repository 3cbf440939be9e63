"""One thread's bench on the CPU: buffers to read into, and kernels that measure what is there."""

from __future__ import annotations

import numpy as np

from modeldiff.changes.change import Statistics
from modeldiff.changes.compiled import kernels
from modeldiff.changes.decoding import Comparison, decoder, equal_elements
from modeldiff.changes.geometry import (
    BLOCK,
    EMPTY_COUNTS,
    KEYS32,
    KEYS64,
    LEAF,
    LOWEST_KEY,
    NO_KEY,
    TABLES,
)
from modeldiff.changes.tally import MedianSearch, Tally, Unsettled, single

CHUNK_BYTES = 2 << 20
"""Bytes of the wider side that are read and measured at once."""
_ALL = 0x7F800001
"""A bracket from 0 of this width keeps every ``r``."""


def chunk_elements(types: Comparison, chunk_bytes: int) -> int:
    """Elements of a chunk: whole leaves, at least one."""
    wider = max(types.base.bits, types.target.bits)
    return max(chunk_bytes * 8 // wider // LEAF, 1) * LEAF


class CpuBench:
    """Measures chunks that stand in its two buffers. Belongs to one thread at a time.

    ``base`` and ``target`` are the buffers, of ``chunk_bytes`` each.
    """

    def __init__(self, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.base = np.empty(max(chunk_bytes, LEAF * 8), np.uint8)
        self.target = np.empty_like(self.base)
        self._kernels = kernels()
        # Room for every r of a chunk: four bytes for each element of at least one byte, or eight
        # for each of eight. Memory that is never written is never taken.
        self._kept = np.empty(self.base.size + 2, np.uint32)
        self._scratch = np.empty(6 * BLOCK, np.uint32)
        self._tables = np.zeros((TABLES, KEYS32 + 64), np.uint32)
        self._wide_table = np.zeros(KEYS64, np.uint32)
        self._fine = np.zeros(65536, np.uint32)
        self._counts = np.zeros(8, np.int64)
        self._tallies: dict[bool, Tally] = {}
        self._base_at, self._target_at = self.base.ctypes.data, self.target.ctypes.data
        self._kept_at, self._scratch_at = self._kept.ctypes.data, self._scratch.ctypes.data
        self._tables_at, self._fine_at = self._tables.ctypes.data, self._fine.ctypes.data
        self._wide_table_at, self._counts_at = (
            self._wide_table.ctypes.data,
            self._counts.ctypes.data,
        )

    def measure_whole(self, types: Comparison, n: int) -> Statistics:
        """The statistics of a tensor that stands in the buffers whole."""
        wide = types.precision == "float64"
        tally = self._tallies.get(wide)
        if tally is None:
            tally = self._tallies[wide] = Tally(self.base.size, wide)
        tally.begin(n)
        kept = self._measure(types, n, tally, 0, _ALL)
        median = tally.find_median()
        if isinstance(median, Unsettled):
            median = self._pick(median, kept)
        return tally.statistics(types, median)

    def measure_part(self, types: Comparison, n: int, tally: Tally, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's tally."""
        self._measure(types, n, tally, first, 0)

    def refine(self, types: Comparison, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        self._fine[:] = 0
        chunk = (self._base_at, *decoder(types.base), self._target_at, *decoder(types.target), n)
        if types.precision == "float64":
            self._kernels.refine64(
                *chunk, search.prefix, search.shift, self._scratch_at, self._fine_at
            )
        else:
            self._kernels.refine32(*chunk, search.prefix, self._scratch_at, self._fine_at)
        with search.lock:
            search.fine += self._fine

    def close(self) -> None:
        """Nothing to give back that does not go with the bench."""

    def _measure(self, types: Comparison, n: int, tally: Tally, first: int, width: int) -> int:
        """Measures ``n`` elements into the tally; how many ``r < width`` (its bits) were kept."""
        if types.precision == "equality":
            base = self.base[: n * types.base.bits // 8]
            target = self.target[: n * types.target.bits // 8]
            equal = equal_elements(base, target, types)
            with tally.lock:
                tally.counts[:2] += n, equal
            return 0
        self._counts[:] = EMPTY_COUNTS
        chunk = (self._base_at, *decoder(types.base), self._target_at, *decoder(types.target), n)
        leaves_at = tally.leaves_at + first // LEAF * tally.leaves.strides[0]
        sums = (leaves_at, self._counts_at, self._kept_at)
        if types.precision == "float64":
            kept = self._kernels.measure64(*chunk, self._scratch_at, self._wide_table_at, *sums)
        else:
            kept = self._kernels.measure32(
                *chunk, 0, width, self._scratch_at, self._tables_at, *sums
            )
        low, high = self._counts[LOWEST_KEY:].tolist()
        with tally.lock:
            tally.add_counts(self._counts)
            if low == NO_KEY:
                pass
            elif types.precision == "float64":
                tally.histogram[low : high + 1] += self._wide_table[low : high + 1]
                self._wide_table[low : high + 1] = 0
            else:
                self._kernels.flush32(self._tables_at, low, high, tally.histogram_at)
        return kept

    def _pick(self, place: Unsettled, kept: int) -> float:
        """The median, out of all ``r`` of a tensor."""
        if place.bits > 16:
            r = self._kept[: 2 * kept].view(np.uint64)
            r = r[(r >> np.uint64(place.bits)) == place.prefix].view(np.float64)
            return float(np.partition(r, place.rank)[place.rank])
        bits = self._kernels.pick32(self._kept_at, kept, place.prefix, place.rank, self._fine_at)
        return single(place.prefix << 16 | bits)
