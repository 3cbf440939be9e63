"""The columns of many small tensors at once: what ``statistics_of`` says of each, by whole arrays.

A checkpoint of experts has tens of thousands of tensors that are measured in a few microseconds
each; to work out their columns one after the other took longer than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Histogram, Statistics, Sums
from modeldiff.changes.statistics.statistics import statistics_of

_Floats = npt.NDArray[np.float64]


def statistics_of_many(
    counts: npt.NDArray[np.int64],
    sums: _Floats,
    quantiles: _Floats,
    histograms: Sequence[Histogram],
    resolution_pct: float | None,
) -> list[Statistics]:
    """The same values as ``statistics_of`` gives for each tensor, bit for bit.

    ``counts`` and ``sums`` have a row a tensor, six columns each, in the order of ``Sums``;
    ``quantiles`` its ``r`` at ``PERCENTS``, of no account where no element is finite.
    ``resolution_pct`` is that of all of them.
    """
    counted = counts.T.tolist()
    totals = list(map(Sums, *counted, *sums.T.tolist()))
    statistics = list(
        map(
            Statistics,
            *_columns(counts, sums, quantiles),
            repeat(resolution_pct),
            *counted[4:],
            totals,
            histograms,
        )
    )
    # What has no elements, is zero on a side, or has squares beyond float64 has columns of its own.
    norms = sums[:, :2]
    ordinary = (counts[:, 0] > 0) & (norms > 0).all(axis=1) & np.isfinite(sums).all(axis=1)
    for at in np.flatnonzero(~ordinary).tolist():
        own = totals[at]
        p05, p25, median, p75, p95, p99 = quantiles[at].tolist()
        known = (p05, p25, median, p75, p95, p99) if own.n else None
        statistics[at] = statistics_of(own, known, histograms[at], resolution_pct)
    return statistics


def _columns(counts: npt.NDArray[np.int64], sums: _Floats, quantiles: _Floats) -> list[list[float]]:
    """The first columns of ``Statistics`` up to ``rms_target``."""
    n, unchanged, sign_flips, base_zeros = counts[:, :4].T.astype(np.float64)
    base_squared, target_squared, product, delta_squared, abs_delta, max_abs_delta = sums.T
    p05, p25, median, p75, p95, p99 = 100.0 * quantiles.T
    # Rows that are not ordinary may divide by zero here; nobody reads them.
    with np.errstate(all="ignore"):
        base_norm, target_norm, delta_norm = map(
            np.sqrt, (base_squared, target_squared, delta_squared)
        )
        columns = (
            *(median, p05, p25, p75, p95, p99),
            100.0 * delta_norm / base_norm,
            np.clip(product / base_norm / target_norm, -1.0, 1.0),
            100.0 * unchanged / n,
            100.0 * sign_flips / n,
            100.0 * base_zeros / n,
            max_abs_delta,
            abs_delta / n,
            np.sqrt(base_squared / n),
            np.sqrt(target_squared / n),
        )
    return [column.tolist() for column in columns]
