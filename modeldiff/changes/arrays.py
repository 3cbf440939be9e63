"""The statistics of arrays, for notebooks: update, merge, finish."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch, PartialMedian
from modeldiff.changes.backends.cpu import CpuBackend, CpuWorker
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import DtypePair, dtype_pair
from modeldiff.changes.statistics.statistics import merge_statistics

_STORED = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "bool": "BOOL",
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}
"""NumPy's and ml_dtypes' names of the types that a checkpoint can store."""


class Measurement:
    """How one set of values changed into another, taken up piece by piece.

    >>> base = np.array([1.0, 2.0, 4.0, 0.0], np.float32)
    >>> target = np.array([1.1, 2.0, 3.0, 0.5], np.float32)
    >>> own = Measurement.of(base, target).finish()
    >>> round(own.median_pct, 4), own.unchanged_pct, own.base_zero_pct
    (10.0, 25.0, 25.0)

    Pieces may be measured apart, on other machines if need be, and merged in any order. Sums and
    counts are then those of the whole; the quantiles, the median too, carry the histogram's
    precision of 1/64 of their value. Measured in one piece the median is exact.

    >>> merged = Measurement.of(base[:2], target[:2]).merge(Measurement.of(base[2:], target[2:]))
    >>> abs(merged.finish().rel_frobenius_pct / own.rel_frobenius_pct - 1) < 1e-6
    True
    >>> abs(merged.finish().median_pct / own.median_pct - 1) < 1 / 64
    True
    """

    def __init__(self) -> None:
        self._pieces: list[Statistics] = []

    @classmethod
    def of(cls, base: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> Measurement:
        """A measurement of these values. See ``update``."""
        measurement = cls()
        measurement.update(base, target)
        return measurement

    def update(self, base: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> None:
        """Takes up further values: two arrays of one shape, of floats of any width (bfloat16 and
        float8 as ``ml_dtypes`` has them) or both of integers, not necessarily of the same type.

        Raises ``ValueError`` for arrays of other shapes or of types that cannot be compared.
        """
        if base.shape != target.shape:
            raise ValueError(f"base has the shape {base.shape}, target {target.shape}")
        types = dtype_pair(*(_STORED.get(array.dtype.name, "") for array in (base, target)))
        if types is None:
            raise ValueError(f"{base.dtype} and {target.dtype} cannot be compared by element")
        self._pieces.append(_statistics(base, target, types))

    def merge(self, other: Measurement) -> Measurement:
        """Takes up all that the other one has; returns itself."""
        self._pieces += other._pieces
        return self

    def finish(self) -> Statistics:
        """The columns for all values so far. More may follow."""
        return self._pieces[0] if len(self._pieces) == 1 else merge_statistics(self._pieces)


def _statistics(
    base: npt.NDArray[np.generic], target: npt.NDArray[np.generic], types: DtypePair
) -> Statistics:
    sides = [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (base, target)]
    return statistics_of_bytes(sides[0], sides[1], types)


_own = threading.local()


def statistics_of_bytes(
    base: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], types: DtypePair
) -> Statistics:
    """The statistics of two tensors in memory, from their stored bytes; the median is exact."""
    backend = CpuBackend()
    if not hasattr(_own, "worker"):
        _own.worker = backend.worker()
    worker: CpuWorker = _own.worker
    sides = [base, target]
    elements = base.size * 8 // types.base.bits
    chunk = backend.chunk_elements(types)
    if elements <= chunk:
        for n, _ in _chunks(sides, worker, types, chunk):
            return worker.measure_whole(types, n)
    accumulator = Accumulator(elements, types)
    for n, first in _chunks(sides, worker, types, chunk):
        worker.measure_part(types, n, accumulator, first)
    median = accumulator.find_median()
    while isinstance(median, PartialMedian):
        search = MedianSearch(median)
        for n, _ in _chunks(sides, worker, types, chunk):
            worker.refine(types, n, search)
        median = search.narrow()
    return accumulator.statistics(median)


def _chunks(
    sides: list[npt.NDArray[np.uint8]], worker: CpuWorker, types: DtypePair, chunk: int
) -> Iterator[tuple[int, int]]:
    """Fills the worker's buffers chunk by chunk; (elements, first element) of each."""
    widths = types.base.bits // 8, types.target.bits // 8
    elements = sides[0].size // widths[0]
    for first in range(0, max(elements, 1), chunk):
        n = min(chunk, elements - first)
        for side, buffer, width in zip(sides, (worker.base, worker.target), widths, strict=True):
            buffer[: n * width] = side[first * width : (first + n) * width]
        yield n, first
