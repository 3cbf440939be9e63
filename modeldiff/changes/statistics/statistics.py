"""From what adds up (sums, a histogram, ranks) to the columns of a change table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from modeldiff.changes.change import Histogram, Statistics, Sums
from modeldiff.changes.kernels.bins import PERCENTS
from modeldiff.changes.statistics.histogram import add_histograms, histogram_quantile

STATISTIC_NAMES: tuple[str, ...] = tuple(
    field.name for field in fields(Statistics) if field.name not in ("sums", "histogram")
)
"""The scalar columns of ``Statistics``, in order."""

_SUM_NAMES = tuple(field.name for field in fields(Sums))
_all_sums = attrgetter(*_SUM_NAMES)

Quantiles = tuple[float, float, float, float, float, float]
"""The ``r`` at the quantiles of ``bins.PERCENTS``: 0.1 is ten percent."""


def statistics_of(
    sums: Sums,
    quantiles: Quantiles | None,
    histogram: Histogram | None,
    resolution_pct: float | None,
) -> Statistics:
    """The columns of one pair, or of several whose sums and histograms were added.

    ``quantiles`` is None where no element is finite, ``histogram`` where the elements are no
    floats: then only equality was counted. A norm that float64 cannot hold (values beyond 1e154 or
    all below 1e-162) is null and so is what depends on it.
    """
    if histogram is None:
        unchanged = 100.0 * sums.unchanged / sums.n if sums.n else None
        return Statistics(unchanged_pct=unchanged, sums=sums)
    nonfinite = {
        "nonfinite_base": sums.nonfinite_base,
        "nonfinite_target": sums.nonfinite_target,
    }
    if sums.n == 0 or quantiles is None:
        return Statistics(
            resolution_pct=resolution_pct, sums=sums, histogram=histogram, **nonfinite
        )
    p05, p25, median, p75, p95, p99 = (100.0 * r for r in quantiles)
    base_norm = _root(sums.base_squared)
    target_norm = _root(sums.target_squared)
    delta_norm = _root(sums.delta_squared)
    return Statistics(
        median_pct=median,
        p05_pct=p05,
        p25_pct=p25,
        p75_pct=p75,
        p95_pct=p95,
        p99_pct=p99,
        rel_frobenius_pct=_percent(delta_norm, base_norm),
        cosine=_cosine(sums.product, base_norm, target_norm),
        unchanged_pct=100.0 * sums.unchanged / sums.n,
        sign_flip_pct=100.0 * sums.sign_flips / sums.n,
        base_zero_pct=100.0 * sums.base_zeros / sums.n,
        max_abs_delta=sums.max_abs_delta,
        mean_abs_delta=sums.abs_delta / sums.n,
        rms_base=_mean_root(sums.base_squared, sums.n),
        rms_target=_mean_root(sums.target_squared, sums.n),
        resolution_pct=resolution_pct,
        sums=sums,
        histogram=histogram,
        **nonfinite,
    )


def merge_statistics(changes: Iterable[Statistics]) -> Statistics:
    """The statistics of several pairs as if they were one: a layer's, a component's, the model's.

    Sums and histograms are added, medians never averaged, so the quantiles (the median too) carry
    the stored histogram's precision: they are off by at most 1/64 of their value. Pairs of
    integers, which have no histogram, count only where all are such. ``resolution_pct`` is the
    coarsest. The order changes nothing.
    """
    parts = [part for part in changes if part.sums is not None]
    floats = [part for part in parts if part.histogram is not None]
    sums = add_sums(part.sums for part in floats or parts if part.sums is not None)
    if not floats:
        return statistics_of(sums, None, None, None) if parts else Statistics()
    histogram = add_histograms(part.histogram for part in floats if part.histogram is not None)
    quantiles = [histogram_quantile(histogram, percent) for percent in PERCENTS]
    p05, p25, median, p75, p95, p99 = (0.0 if r is None else r for r in quantiles)
    resolutions = (part.resolution_pct for part in floats)
    merged = statistics_of(
        sums,
        (p05, p25, median, p75, p95, p99) if sums.n else None,
        histogram,
        max((step for step in resolutions if step is not None), default=None),
    )
    return _with_median_between(merged, floats)


def _with_median_between(merged: Statistics, parts: Iterable[Statistics]) -> Statistics:
    """The median of several lies between the least and the largest of theirs; quantiles beside it
    stay on their side of it."""
    medians = [part.median_pct for part in parts if part.median_pct is not None]
    if merged.median_pct is None or not medians:
        return merged
    median = min(max(merged.median_pct, min(medians)), max(medians))
    if median == merged.median_pct:
        return merged
    low = {name: min(getattr(merged, name), median) for name in ("p05_pct", "p25_pct")}
    high = {name: max(getattr(merged, name), median) for name in ("p75_pct", "p95_pct", "p99_pct")}
    beside: dict[str, Any] = {**low, **high}
    return replace(merged, median_pct=median, **beside)


def add_sums(sums: Iterable[Sums]) -> Sums:
    """Field by field: added, exactly rounded once; ``max_abs_delta`` by maximum."""
    values = zip(*map(_all_sums, sums), strict=True)
    columns = dict(zip(_SUM_NAMES, values, strict=False)) or dict.fromkeys(_SUM_NAMES, ())
    largest = max(columns.pop("max_abs_delta"), default=0.0)
    return Sums(**{name: _add(values) for name, values in columns.items()}, max_abs_delta=largest)


def cosine_distance(statistics: Statistics) -> float | None:
    """1 − cosine, from |b − a|² = (|a| − |b|)² + 2 |a| |b| (1 − cosine): without the rounding that
    the difference of two numbers near 1 would be made of. Where the norms are so far apart that
    their squares hide the rest, the plain difference. None where there is no cosine."""
    sums = statistics.sums
    if statistics.cosine is None or sums is None:
        return None
    base, target = math.sqrt(sums.base_squared), math.sqrt(sums.target_squared)
    if sums.delta_squared > 2 * base * target:
        return 1 - statistics.cosine
    return max(0.0, (sums.delta_squared - (base - target) ** 2) / base / target / 2)


def _add(values: Sequence[Any]) -> Any:
    if all(isinstance(value, int) for value in values):
        return sum(values)
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond float64, or inf - inf
        return math.inf


def _root(square: float) -> float | None:
    root = math.sqrt(square) if square > 0 else 0.0
    return root if math.isfinite(root) else None


def _mean_root(square: float, n: int) -> float | None:
    return _root(square / n)


def _percent(part: float | None, whole: float | None) -> float | None:
    if part is None or whole is None:
        return None
    if whole == 0:
        return 0.0 if part == 0 else math.inf
    return 100.0 * part / whole


def _cosine(product: float, base_norm: float | None, target_norm: float | None) -> float | None:
    if not base_norm or not target_norm or not math.isfinite(product):
        return None
    return max(-1.0, min(1.0, product / base_norm / target_norm))
