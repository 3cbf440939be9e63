"""Every column of a pair by its definition: plain NumPy, whole arrays, sorting. Independent of the
kernels on purpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes import Statistics
from modeldiff.checkpoints import STORED_TYPES

TORCH_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
}
PERCENTS = {"p05_pct": 5, "p25_pct": 25, "p75_pct": 75, "p95_pct": 95, "p99_pct": 99}
SUMS_TOLERANCE = 1e-6
"""Of every sum, relative to what it is a sum of; docs/statistics.md."""
QUANTILE_TOLERANCE = 1 / 128

Bytes = npt.NDArray[np.uint8]


def encode(values: npt.NDArray[np.float64], dtype: str) -> Bytes:
    """Values as stored bytes, rounded by torch."""
    if values.size == 0:
        return np.zeros(0, np.uint8)
    rounded = torch.from_numpy(values).to(torch.float32 if dtype != "F64" else torch.float64)
    stored = rounded.to(TORCH_TYPES[dtype]).contiguous()
    return stored.view(torch.uint8).numpy().reshape(-1).copy()


def decode(raw: Bytes, dtype: str) -> npt.NDArray[np.float64]:
    """Stored bytes as values, by torch."""
    if raw.size == 0:
        return np.zeros(0)
    stored = torch.from_numpy(raw.copy()).view(TORCH_TYPES[dtype])
    return stored.to(torch.float32 if dtype != "F64" else torch.float64).double().numpy()


def sorted_changes(
    base: npt.NDArray[np.float64], target: npt.NDArray[np.float64], wide: bool
) -> npt.NDArray[np.floating[Any]]:
    """The sorted relative changes of finite elements, in the working type."""
    working: type[np.floating[Any]] = np.float64 if wide else np.float32
    with np.errstate(all="ignore"):
        a: npt.NDArray[Any] = base.astype(working)
        b: npt.NDArray[Any] = target.astype(working)
        r = np.abs(b - a) / np.abs(a)
        r[a == b] = 0
        return np.sort(r)


def expect(found: Statistics, raw_base: Bytes, raw_target: Bytes, types: tuple[str, str]) -> None:
    """Asserts every column of what was found for these stored bytes."""
    base, target = decode(raw_base, types[0]), decode(raw_target, types[1])
    finite_base, finite_target = np.isfinite(base), np.isfinite(target)
    finite = finite_base & finite_target
    a, b = base[finite], target[finite]
    n = len(a)
    assert found.nonfinite_base == (~finite_base).sum()
    assert found.nonfinite_target == (~finite_target).sum()
    assert found.resolution_pct == max(100 * 2.0 ** -STORED_TYPES[t].significand for t in types)
    assert found.sums is not None
    assert found.histogram is not None
    assert found.sums.n == n
    if n == 0:
        assert found.median_pct is found.rel_frobenius_pct is found.unchanged_pct is None
        return
    r = sorted_changes(a, b, "F64" in types)
    _expect_quantiles(found, r)
    _expect_shares(found, a, b)
    _expect_sums(found, a, b)
    _expect_histogram(found, r)


def _expect_quantiles(found: Statistics, r: npt.NDArray[np.floating[Any]]) -> None:
    n = len(r)
    assert found.median_pct == 100.0 * float(r[(n - 1) // 2])
    for name, percent in PERCENTS.items():
        wanted = 100.0 * float(r[percent * (n - 1) // 100])
        got = getattr(found, name)
        if wanted == 0 or math.isinf(wanted):
            assert got == wanted, name
        else:
            assert abs(got - wanted) <= QUANTILE_TOLERANCE * wanted, name
    quantiles = [found.p05_pct, found.p25_pct, found.median_pct]
    quantiles += [found.p75_pct, found.p95_pct, found.p99_pct]
    in_order = [quantile for quantile in quantiles if quantile is not None]
    assert len(in_order) == 6
    assert in_order == sorted(in_order)


def _expect_shares(
    found: Statistics, a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]
) -> None:
    assert found.sums is not None
    n = len(a)
    flips = int(((a < 0) & (b > 0) | (a > 0) & (b < 0)).sum())
    counts = {
        ("unchanged", "unchanged_pct"): int((a == b).sum()),
        ("sign_flips", "sign_flip_pct"): flips,
        ("base_zeros", "base_zero_pct"): int((a == 0).sum()),
    }
    for (count, share), wanted in counts.items():
        assert getattr(found.sums, count) == wanted, count
        assert getattr(found, share) == 100.0 * wanted / n, share


def _expect_sums(found: Statistics, a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> None:
    def close(got: float | None, wanted: float, scale: float | None = None) -> bool:
        assert got is not None
        return abs(got - wanted) <= SUMS_TOLERANCE * (abs(wanted) if scale is None else scale)

    assert found.sums is not None
    n = len(a)
    d = b - a
    base_norm, target_norm, delta_norm = (math.sqrt(math.fsum(v * v)) for v in (a, b, d))
    product = math.fsum(a * b)
    assert close(found.sums.base_squared, base_norm**2)
    assert close(found.sums.target_squared, target_norm**2)
    assert close(found.sums.delta_squared, delta_norm**2)
    assert close(found.sums.product, product, base_norm * target_norm)
    assert close(found.rms_base, base_norm / math.sqrt(n))
    assert close(found.rms_target, target_norm / math.sqrt(n))
    assert close(found.max_abs_delta, float(np.abs(d).max()))
    assert close(found.mean_abs_delta, math.fsum(np.abs(d)) / n)
    if base_norm:
        assert close(found.rel_frobenius_pct, 100 * delta_norm / base_norm)
    else:
        assert found.rel_frobenius_pct == (math.inf if delta_norm else 0.0)
    if base_norm and target_norm:
        assert close(found.cosine, product / base_norm / target_norm, 1.0)
    else:
        assert found.cosine is None


def _expect_histogram(found: Statistics, r: npt.NDArray[np.floating[Any]]) -> None:
    assert found.histogram is not None
    histogram = found.histogram
    assert histogram.zero == (r == 0).sum()
    assert histogram.infinite == np.isinf(r).sum()
    changed = np.asarray(r[(r > 0) & np.isfinite(r)], np.float64)
    limits = np.finfo(np.float32)
    octave = np.floor(np.log2(np.clip(changed, limits.tiny, limits.max)))
    bucket = (octave + 127) * 32 + np.floor((changed / 2.0**octave - 1) * 32)
    bucket = np.clip(bucket, 0, 8159).astype(int)
    numbers, counts = np.unique(bucket, return_counts=True)
    np.testing.assert_array_equal(histogram.buckets, numbers)
    np.testing.assert_array_equal(histogram.counts, counts)
