"""The statistics that can be drawn: what each is called, means, and how far it can go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field, replace

from modeldiff.changes.change import Statistics
from modeldiff.changes.statistics.statistics import cosine_distance
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_number, format_pct, format_small

# Two unrelated matrices of one scale, a and b independent and normal: b/a is Cauchy, so that r =
# |b/a - 1| has P(r <= x) = (atan(x + 1) + atan(x - 1)) / pi, which is q at the positive root of
# t*x^2 - 2*x - 2*t = 0 for t = -tan(pi*q); at q = 1/2 that is sqrt(2).
_UNRELATED_MEDIAN = 100 * math.sqrt(2)
_T95 = -math.tan(0.95 * math.pi)
_UNRELATED_P95 = 100 * (1 + math.sqrt(1 + 2 * _T95 * _T95)) / _T95

EQUAL_SIGN, FEW_SIGN = "=", "≈"


@dataclass(frozen=True)
class Metric:
    """One statistic as a number that can be coloured.

    ``ceiling`` is what two unrelated matrices of one scale would show. It is None where that has no
    fixed value, or where models that are related show it too: no element of a full fine-tune need
    stay as it was. ``limit`` is the largest value possible. ``has_floor``: below the stored types'
    ``resolution_pct`` it cannot tell small changes apart. ``rises`` is False where a larger number
    means *less* change. ``by_size``: large values weigh most, so in a layer its norms do.
    """

    key: str
    label: str
    unit: str
    description: str
    read: Callable[[Statistics], float | None] = field(repr=False)
    ceiling: float | None = None
    limit: float | None = None
    has_floor: bool = False
    rises: bool = True
    by_size: bool = False

    def value(self, statistics: Statistics | None) -> float | None:
        """This statistic of one tensor (or of several, merged); None where there is none."""
        return None if statistics is None else self.read(statistics)

    def sign(self, statistics: Statistics | None) -> str:
        """What stands in the number's place: ``=`` where every element is equal, ``≈`` where some
        moved and too few to show in it; empty for the number itself."""
        if statistics is None or statistics.nonfinite_base or statistics.nonfinite_target:
            return ""
        if statistics.unchanged_pct == 100.0:
            return EQUAL_SIGN
        return FEW_SIGN if self.has_floor and self.value(statistics) == 0 else ""

    @property
    def of_vectors(self) -> Metric:
        """The same for norms and other vectors: unrelated ones are all near one value, so that what
        unrelated matrices would show is no mark among them."""
        return replace(self, ceiling=None)

    def format(self, value: float | None) -> str:
        """The value with its unit."""
        return format_pct(value) if self.unit else format_small(value)

    def number(self, value: float | None) -> str:
        """The value without its unit, for a cell or a tick."""
        return format_number(value) if self.unit else format_small(value)


METRICS: tuple[Metric, ...] = (
    Metric(
        "median_pct",
        "Median relative change",
        "%",
        "Half of the elements changed by more than this, in percent of their base value.",
        lambda s: s.median_pct,
        ceiling=_UNRELATED_MEDIAN,
        has_floor=True,
    ),
    Metric(
        "unchanged_pct",
        "Unchanged elements",
        "%",
        "Share of elements that are exactly equal in both. The less, the more has changed.",
        lambda s: s.unchanged_pct,
        limit=100.0,
        rises=False,
    ),
    Metric(
        "rel_frobenius_pct",
        "Relative Frobenius norm",
        "%",
        "Size of the change over the size of the base: large elements count most.",
        lambda s: s.rel_frobenius_pct,
        ceiling=_UNRELATED_MEDIAN,
        by_size=True,
    ),
    Metric(
        "cosine_distance",
        "Cosine distance",
        "",
        "1 − cosine between the two tensors: 0 is the same direction, 1 is unrelated.",
        cosine_distance,
        ceiling=1.0,
        limit=2.0,
        by_size=True,
    ),
    Metric(
        "sign_flip_pct",
        "Sign flips",
        "%",
        "Share of elements that changed their sign; half of them would between unrelated models.",
        lambda s: s.sign_flip_pct,
        ceiling=50.0,
        limit=100.0,
    ),
    Metric(
        "p95_pct",
        "95th percentile of relative change",
        "%",
        "One element in twenty changed by more than this, in percent of its base value.",
        lambda s: s.p95_pct,
        ceiling=_UNRELATED_P95,
        has_floor=True,
    ),
    Metric(
        "max_abs_delta",
        "Largest absolute change",
        "",
        "The largest difference of any one element, in the weights' own units.",
        lambda s: s.max_abs_delta,
    ),
)


def metric_named(key: str) -> Metric | None:
    """The metric with this key, or None."""
    return next((metric for metric in METRICS if metric.key == key), None)
