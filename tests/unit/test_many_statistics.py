"""Columns worked out for many tensors at once: those of one after the other, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modeldiff.changes.backends.accumulator import pair_statistics, quantiles_of
from modeldiff.changes.change import Histogram
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.kernels.bins import INFINITE_KEY32, MEDIAN
from modeldiff.changes.statistics.many_statistics import statistics_of_many

_HOSTILE = (0.0, 5e-324, 1e-310, 1e-200, 0.1, 1.0, 3.7e9, 1e160, 1.7e308, math.inf, math.nan)
"""Squares of nothing, of what float32 has no room for, beyond the root of float64's largest."""


@pytest.mark.parametrize("seed", range(20))
def test_each_of_many_tensors_has_the_columns_that_it_has_alone(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = 60
    counts = draw.integers(0, 4096, (count, 6))
    counts[draw.random(count) < 0.2, 0] = 0
    sums = np.where(
        draw.random((count, 6)) < 0.4, draw.choice(_HOSTILE, (count, 6)), draw.random((count, 6))
    )
    sums[:, 2] *= draw.choice([-1.0, 1.0], count)
    keys = np.sort(draw.choice([-1, 0, 1, 15000, 16256, 16257, INFINITE_KEY32], (count, 6)))
    medians = (np.maximum(keys[:, MEDIAN], 0) << 16).astype(np.uint32).view(np.float32)
    histograms = [
        Histogram(number, 0, np.zeros(0, np.uint16), np.zeros(0, np.int64))
        for number in range(count)
    ]
    types = dtype_pair("BF16", "F32")
    assert types is not None

    together = statistics_of_many(
        counts, sums, quantiles_of(keys, medians), histograms, types.resolution_pct
    )

    for row, own in enumerate(together):
        n = int(counts[row, 0])
        alone = pair_statistics(
            types,
            counts[row].tolist(),
            sums[row].tolist(),
            keys[row].tolist(),
            float(medians[row]) if n else None,
            histograms[row],
        )
        assert repr((own, own.sums, own.histogram)) == repr((alone, alone.sums, alone.histogram))
