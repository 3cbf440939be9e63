"""How a metric's values become lengths and colours: one honest scale, robust to outliers.

The scale is linear from 0, so that half the bar or half the heat is half the change. The top is a
round number above all but the largest hundredth of the values; what lies beyond is drawn as the
top, and the scale says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from modeldiff.drawings.metrics import Metric

_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
# Marks nearer than this share of the scale would write over each other.
_APART = 0.13


@dataclass(frozen=True)
class Tick:
    """A marked value at ``position`` (0 to 1), and the text beside it, perhaps in two lines."""

    position: float
    text: str


@dataclass(frozen=True)
class Scale:
    """From 0 to ``top``. ``clipped``: some finite value lies above the top.

    ``floor`` is the stored types' resolution where it lies on the scale and bears on the metric;
    ``ceiling`` what unrelated matrices would show, where it lies on the scale.
    """

    metric: Metric
    top: float
    clipped: bool = False
    floor: float | None = None
    ceiling: float | None = None

    def position(self, value: float) -> float:
        """Where the value lies, from 0 to 1; what lies beyond the top stands at 1."""
        return min(max(value / self.top, 0.0), 1.0)

    def ticks(self) -> tuple[Tick, ...]:
        """A few round values from 0 to the top, with floor and ceiling named, ascending."""
        top = _plain(self.top)
        ceiling = self.ceiling
        zero, end = "0", f"≥ {top}" if self.clipped else top
        if ceiling is not None and self.position(ceiling) > 1 - _APART:
            end += "\nunrelated"
        elif ceiling == 0:
            zero += "\nunrelated"
        marks = [Tick(1.0, end)]
        if ceiling is not None and 0 < self.position(ceiling) <= 1 - _APART:
            marks.append(Tick(self.position(ceiling), f"{_plain(ceiling)}\nunrelated"))
        if self.floor is not None:
            at = self.position(self.floor)
            if at < 0.06:
                zero = f"0\nfloor {self.metric.number(self.floor)}"
            else:
                marks.append(Tick(at, f"{self.metric.number(self.floor)}\nfloor"))
        marks.append(Tick(0.0, zero))
        step = _at_least(self.top / 5, _TICK_STEPS)
        for number in range(1, math.ceil(self.top / step)):
            at = self.position(number * step)
            if all(abs(at - mark.position) >= _APART for mark in marks):
                marks.append(Tick(at, _plain(number * step)))
        return tuple(sorted(marks, key=lambda mark: mark.position))


def choose_scale(
    values: Iterable[float], metric: Metric, resolutions: Iterable[float] = ()
) -> Scale:
    """The scale that suits these values (infinite ones are left out).

    ``resolutions`` are the ``resolution_pct`` of what was measured; the coarsest is the floor.
    """
    if not metric.rises and metric.limit is not None:
        return Scale(metric, metric.limit, ceiling=metric.ceiling)
    finite = sorted(value for value in values if math.isfinite(value))
    floor = max(resolutions, default=None) if metric.has_floor else None
    largest = finite[-1] if finite else 0.0
    typical = finite[math.ceil(0.99 * (len(finite) - 1))] if finite else 0.0
    # An outlier is cut off only where it would leave the others little room.
    reach = largest if largest <= 2 * typical else typical
    # Rounding alone must not fill the scale with heat: it spans a few floors, or some of anything.
    least = (10 * floor if floor else 1.0) if metric.unit else 0.0
    top = _at_least(max(reach, least) or 1.0, _ROUND)
    ceiling = metric.ceiling
    if ceiling is not None and 0.7 * ceiling < top <= 1.3 * ceiling and largest <= 1.1 * ceiling:
        top = ceiling
    return Scale(
        metric,
        top,
        # A hundredth over the top cannot be seen.
        clipped=largest > 1.1 * top,
        floor=floor if floor is not None and floor < top else None,
        ceiling=ceiling if ceiling is not None and ceiling <= top else None,
    )


def _at_least(value: float, steps: tuple[float, ...]) -> float:
    """The smallest of ``steps`` times a power of ten that is not below the value (above 0)."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in steps if value <= step * size * (1 + 1e-9))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
