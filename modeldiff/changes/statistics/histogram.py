"""The histogram of relative change: where its buckets lie, how histograms add up, what they tell.

A bucket's number is the upper 14 bits of ``r`` as a float32: the exponent and five bits of the
fraction, so 32 buckets an octave, each at most 1/32 wide relative to its lower edge. Bucket ``k``
holds ``r`` with ``edge(k) <= r < edge(k + 1)`` where ``edge(k)`` is the float32 with the bits
``k << 18``: bucket 4064 begins at 1 (100 %), 4032 at 0.5, 4096 at 2. ``r == 0`` and ``r == inf``
are counted apart. An ``r`` that was computed in float64 and lies outside of float32's range is
counted in the first or last bucket.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Histogram

BUCKET_SHIFT = 18
LAST_BUCKET = 0x7F7FFFFF >> BUCKET_SHIFT
"""The last bucket of finite ``r``: 8159."""
_BATCH = 1024
"""Histograms that are added in one go: of thousands of small ones the calls would cost most."""


def bucket_edges(buckets: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The lower edges of these buckets; the upper edge of bucket k is the lower of k + 1.

    >>> bucket_edges([4032, 4064, 4065, 4096])
    array([0.5    , 1.     , 1.03125, 2.     ])
    """
    numbers = np.asarray(buckets, np.uint32)
    return (numbers << np.uint32(BUCKET_SHIFT)).view(np.float32).astype(np.float64)


def bucket_of(r: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """The buckets that hold these ``r`` (finite and above 0).

    >>> bucket_of([0.5, 1.0, 1.04])
    array([4032, 4064, 4065], dtype=uint16)
    """
    limits = np.finfo(np.float32)
    inside = np.clip(np.asarray(r, np.float64), limits.smallest_subnormal, limits.max)
    # float64 → float32 rounds to nearest, which could cross an edge: step back where it went up.
    near = inside.astype(np.float32)
    near = np.where(near > inside, np.nextafter(near, np.float32(0)), near)
    return (near.view(np.uint32) >> np.uint32(BUCKET_SHIFT)).astype(np.uint16)


def empty_histogram() -> Histogram:
    """A histogram that counts nothing."""
    return Histogram(0, 0, np.zeros(0, np.uint16), np.zeros(0, np.int64))


def add_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """The histogram of all that these count; the same in whatever order."""
    zero = infinite = 0
    dense = np.zeros(LAST_BUCKET + 1, np.int64)
    several = iter(histograms)
    while batch := list(islice(several, _BATCH)):
        zero += sum(each.zero for each in batch)
        infinite += sum(each.infinite for each in batch)
        buckets = np.concatenate([each.buckets for each in batch])
        counts = np.concatenate([each.counts for each in batch])
        np.add.at(dense, buckets, counts)
    (buckets,) = np.nonzero(dense)
    return Histogram(zero, infinite, buckets.astype(np.uint16), dense[buckets])


def histogram_total(histogram: Histogram) -> int:
    """How many elements a histogram counts."""
    return histogram.zero + histogram.infinite + int(histogram.counts.sum())


def histogram_quantile(histogram: Histogram, percent: int) -> float | None:
    """The ``r`` of rank ``floor(percent / 100 * (n - 1))``, within 1/64 of its value.

    The middle of the bucket that holds it; 0 and infinity are exact. None if nothing is counted.
    """
    n = histogram_total(histogram)
    if n == 0:
        return None
    rank = percent * (n - 1) // 100
    if rank < histogram.zero:
        return 0.0
    upto = histogram.zero + np.cumsum(histogram.counts)
    place = int(np.searchsorted(upto, rank, side="right"))
    if place == len(upto):
        return float("inf")
    low, high = bucket_edges(histogram.buckets[place] + np.arange(2, dtype=np.uint32))
    return float(low + (high - low) / 2) if np.isfinite(high) else float(low)
