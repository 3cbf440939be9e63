"""Histograms and sums of several pairs: where the buckets lie, how they add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes import Statistics, merge_statistics
from modeldiff.changes.arrays import Measurement
from modeldiff.changes.change import Histogram
from modeldiff.changes.statistics.histogram import (
    LAST_BUCKET,
    add_histograms,
    bucket_edges,
    bucket_of,
    histogram_quantile,
    histogram_total,
)
from tests.support.small_checkpoints import normal

positive = st.floats(2.0**-149, 3.4e38, allow_nan=False)


@given(st.lists(positive, min_size=1))
def test_every_value_lies_between_its_bucket_s_edges(values: list[float]) -> None:
    buckets = bucket_of(values).astype(np.uint32)
    assert (bucket_edges(buckets) <= values).all()
    assert (np.array(values) < bucket_edges(buckets + np.uint32(1))).all()


def test_there_are_32_buckets_an_octave() -> None:
    edges = bucket_edges(np.arange(4064, 4064 + 65))
    np.testing.assert_array_equal(edges[[0, 32, 64]], [1, 2, 4])
    assert (edges[1:] / edges[:-1] <= 1 + 1 / 32).all()


def test_what_float32_cannot_hold_goes_to_the_ends() -> None:
    assert bucket_of([1e-300, 1e300]).tolist() == [0, LAST_BUCKET]


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.5, 0.5, 3.0, math.inf]), min_size=1, max_size=300))
def test_quantiles_are_within_a_64th(values: list[float]) -> None:
    r = np.sort(values)
    changed = r[(r > 0) & np.isfinite(r)]
    buckets, counts = np.unique(bucket_of(changed), return_counts=True)
    histogram = Histogram(int((r == 0).sum()), int(np.isinf(r).sum()), buckets, counts)
    assert histogram_total(histogram) == len(r)
    for percent in (5, 25, 50, 75, 95, 99):
        wanted = r[percent * (len(r) - 1) // 100]
        assert histogram_quantile(histogram, percent) == pytest.approx(wanted, rel=1 / 64)


def test_an_empty_histogram_has_no_quantiles() -> None:
    assert histogram_quantile(add_histograms([]), 50) is None


def measured(n: int, seed: int, scale: float = 1.0) -> Statistics:
    base = normal(n, seed, scale).astype(np.float32)
    return Measurement.of(base, base + normal(n, seed + 100, 0.1).astype(np.float32)).finish()


class TestMerging:
    def test_a_layer_is_measured_as_if_its_tensors_were_one(self) -> None:
        base = [normal(n, n).astype(np.float32) for n in (10, 1000, 5000)]
        target = [part + normal(part.size, 7, 0.3).astype(np.float32) for part in base]
        parts = [Measurement.of(a, b).finish() for a, b in zip(base, target, strict=True)]
        whole = Measurement.of(np.concatenate(base), np.concatenate(target)).finish()
        merged = merge_statistics(parts)
        assert merged.histogram == whole.histogram
        assert merged.unchanged_pct == whole.unchanged_pct
        assert merged.max_abs_delta == whole.max_abs_delta
        for name in ("median_pct", "p05_pct", "p95_pct"):
            assert getattr(merged, name) == pytest.approx(getattr(whole, name), rel=1 / 64)
        for name in ("rel_frobenius_pct", "cosine", "rms_base", "rms_target", "mean_abs_delta"):
            assert getattr(merged, name) == pytest.approx(getattr(whole, name), rel=1e-6)

    def test_the_order_changes_nothing(self) -> None:
        parts = [measured(n, n, 10.0**n) for n in (3, 8, 11, 30)]
        assert merge_statistics(parts) == merge_statistics(reversed(parts))

    def test_the_coarsest_resolution_counts(self) -> None:
        half = np.ones(3, np.float16)
        merged = merge_statistics([measured(3, 1), Measurement.of(half, half).finish()])
        assert merged.resolution_pct == 100 * 2.0**-11

    def test_nothing_finite_is_null_and_disturbs_nothing(self) -> None:
        nothing = np.full(4, np.nan, np.float32)
        empty = Measurement.of(nothing, nothing).finish()
        assert merge_statistics([empty]).median_pct is None
        one = measured(50, 2)
        merged = merge_statistics([empty, one])
        assert merged.rel_frobenius_pct == one.rel_frobenius_pct
        assert merged.nonfinite_base == 4

    def test_integers_count_only_among_themselves(self) -> None:
        numbers = np.arange(4)
        integers = Measurement.of(numbers, numbers).finish()
        assert merge_statistics([integers, integers]).unchanged_pct == 100.0
        one = measured(50, 2)
        assert merge_statistics([one, integers]).unchanged_pct == one.unchanged_pct

    def test_nothing_at_all(self) -> None:
        assert merge_statistics([]) == Statistics()
        assert merge_statistics([Statistics()]) == Statistics()
