"""Changes made by hand: statistics that agree and merge, with no weights behind them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes import Change, ChangeTable, Pair, Statistics, Sums, pair
from modeldiff.changes.change import Histogram
from modeldiff.changes.kernels.bins import PERCENTS
from modeldiff.changes.statistics.histogram import bucket_of
from modeldiff.changes.statistics.statistics import statistics_of

_QUANTILES = (np.arange(1001) + 0.5) / 1001
_UNIT = np.tan(_QUANTILES * np.pi / 2)
"""Relative changes of a dense change: the folded Cauchy distribution, its median 1."""


def made_statistics(median_pct: float, *, unchanged: float = 0.0) -> Statistics:
    """Statistics with this median (infinite: most base values are zero), over 1001 elements."""
    n = len(_UNIT)
    same = round(unchanged * n)
    finite = median_pct if np.isfinite(median_pct) else 0.0
    r = np.sort(np.where(np.arange(n) < same, 0.0, _UNIT * finite / 100))
    if not np.isfinite(median_pct):
        r[n // 4 :] = np.inf
    buckets, counts = np.unique(bucket_of(r[(r > 0) & np.isfinite(r)]), return_counts=True)
    zero, infinite = int((r == 0).sum()), int(np.isinf(r).sum())
    share = min(finite / 100, 2**0.5)
    sums = Sums(
        n=n,
        unchanged=zero,
        # One at least: a change that flips none at all is no noise.
        sign_flips=max(round(n * min(share / 4, 0.5)), int(share > 0)),
        base_zeros=infinite,
        base_squared=float(n),
        target_squared=float(n),
        product=n * (1 - share**2 / 2),
        delta_squared=n * share**2,
        abs_delta=n * share * 0.8,
        max_abs_delta=share * 5,
    )
    p05, p25, p50, p75, p95, p99 = (float(r[percent * (n - 1) // 100]) for percent in PERCENTS)
    histogram = Histogram(zero, infinite, buckets, counts.astype(np.int64))
    return statistics_of(sums, (p05, p25, p50, p75, p95, p99), histogram, 0.390625)


def made_changes(
    base: Architecture, target: Architecture, median: Callable[[Pair], float | None]
) -> ChangeTable:
    """A comparison in which ``median`` gives each compared pair's median; None: not measured."""
    changes = []
    for one in pair(base, target):
        if one.status != "compared":
            changes.append(Change(one))
            continue
        value = median(one)
        changes.append(Change(one, None if value is None else made_statistics(value)))
    return ChangeTable(changes)


def continued(one: Pair) -> float:
    """What continued pretraining does: most near the input, norms hardly at all."""
    layer = one.place.layer
    depth = 0.5 if layer is None else min(layer, 32) / 32
    if "norm" in one.place.component:
        value = 1.9 - 1.4 * depth
    elif one.place.component.endswith(("q_proj", "k_proj")):
        value = 14 + 26 * float(np.exp(-4 * depth))
    else:
        value = 19 + 4 * float(np.exp(-5 * depth))
    wobble = 1 + 0.07 * float(np.sin(7 * (layer or 0) + len(one.place.component)))
    return value * wobble * (0.3 if one.place.parameter == "bias" else 1)
