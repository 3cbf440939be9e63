"""How a metric's values become lengths and colours: one honest scale, robust to outliers.

A linear scale begins at 0, so that half the bar or half the heat is half the change. A logarithmic
one begins at ``low`` and shows ratios: what lies below is drawn as nothing. The top is a round
number above all but the largest hundredth of the values; what lies beyond is drawn as the top, and
the scale says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from modeldiff.changes.change import Statistics
from modeldiff.drawings.style.metrics import Metric
from modeldiff.processes.late_dataclass import dataclass

_COARSE = (1.0, 2.0, 3.0, 5.0, 10.0)
_FINE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0)
"""Where scales end: few values, so that pairs often share theirs; finer above 10, where a scale
half empty would be pale."""
_FLOORS = 5
"""So many times the floor is the least that a scale spans."""
_TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LEAST_TOP = 1e-300
"""Near the smallest numbers there are, powers of ten and their parts would be 0."""
_DECADES = 5
"""A logarithmic scale has so many at most: what is smaller by more is nothing beside the top."""


@dataclass(frozen=True)
class Tick:
    """A marked value at ``position`` (0 to 1), and the text beside it."""

    position: float
    text: str


@dataclass(frozen=True)
class ValueScale:
    """From 0 to ``top``; logarithmic from ``low`` where that is above 0.

    ``clipped``: some finite value lies above the top. ``floor`` is the stored types' resolution
    where it lies on the scale and bears on the metric; ``ceiling`` what unrelated matrices would
    show, where it lies on the scale. Of a metric that falls with change, a logarithmic scale is
    one of what is missing to its limit.
    """

    metric: Metric
    top: float
    clipped: bool = False
    floor: float | None = None
    ceiling: float | None = None
    low: float = 0.0

    def position(self, value: float) -> float:
        """Where the value lies, from 0 to 1; what lies beyond the top stands at 1."""
        if not self.low:
            return min(max(value / self.top, 0.0), 1.0)
        change = value if self.metric.rises else self.top - value
        share = 0.0
        if change > self.low:
            share = min(math.log(change / self.low) / math.log(self.top / self.low), 1.0)
        return share if self.metric.rises else 1 - share

    def heat(self, value: float) -> float:
        """How much change the value is, from 0 (none) to 1."""
        return self.position(value) if self.metric.rises else 1 - self.position(value)

    @property
    def reach(self) -> str:
        """The number at the upper end."""
        return self._ends(_plain(self.top))[1].removeprefix("≥ ")

    def ticks(self) -> tuple[Tick, ...]:
        """Round values from one end to the other, both ends among them, ascending; nothing is left
        out for want of room."""
        zero, end = self._ends(_plain(self.top))
        values = list(self._round_values())
        if self.low and self.metric.rises:
            # Decades alone may leave a short scale with none.
            sizes = (self.low, *(value for value in values if value > self.low))
            values = [times * size for size in sizes for times in (1.0, 2.0, 5.0)]
        between = [
            Tick(self.position(value), _plain(value))
            for value in values
            if 0.0 < self.position(value) < 1.0
        ]
        return (Tick(0.0, zero), *sorted(between, key=lambda tick: tick.position), Tick(1.0, end))

    def _ends(self, top: str) -> tuple[str, str]:
        """The words at 0 and at 1."""
        if not self.low:
            return "0", f"≥ {top}" if self.clipped else top
        if self.metric.rises:
            return f"≤ {_plain(self.low)}", f"≥ {top}" if self.clipped else top
        return "0", f"≥ {_plain(self.top - self.low)}"

    def _round_values(self) -> Iterator[float]:
        """Values to mark between the ends: even steps, or decades from the top."""
        if not self.low:
            step = _at_least(self.top / 5, _TICK_STEPS)
            yield from (number * step for number in range(1, math.ceil(self.top / step)))
            return
        size = 10.0 ** math.floor(math.log10(self.top))
        while size > self.low:
            yield size if self.metric.rises else self.top - size
            size /= 10


def value_scale_of(statistics: Iterable[Statistics], metric: Metric) -> ValueScale:
    """The scale that suits what was measured of a metric."""
    known = list(statistics)
    values = [value for one in known if (value := metric.value(one)) is not None]
    floors = {one.resolution_pct for one in known if one.resolution_pct is not None}
    return choose_value_scale(values, metric, floors)


def choose_value_scale(
    values: Iterable[float],
    metric: Metric,
    resolutions: Iterable[float] = (),
    *,
    log: bool = False,
    top: float | None = None,
) -> ValueScale:
    """The scale that suits these values (infinite ones are left out).

    ``resolutions`` are the ``resolution_pct`` of what was measured; the coarsest is the floor.
    ``log``: logarithmic. ``top`` is where it ends (above 0), whatever the values; not of a metric
    that falls with change.
    """
    finite = sorted(value for value in values if math.isfinite(value))
    if not metric.rises and metric.limit is not None:
        changes = sorted(metric.limit - value for value in finite)
        low = _low(changes, metric.limit) if log else 0.0
        return ValueScale(metric, metric.limit, ceiling=metric.ceiling, low=low)
    floor = max(resolutions, default=None) if metric.has_floor else None
    ceiling = metric.ceiling
    top = _top(finite, metric, floor) if top is None else top
    return ValueScale(
        metric,
        top,
        # A hundredth over the top cannot be seen.
        clipped=bool(finite) and finite[-1] > 1.1 * top,
        floor=floor if floor is not None and floor < top else None,
        ceiling=ceiling if ceiling is not None and ceiling <= top else None,
        low=_low(finite, top) if log else 0.0,
    )


def _top(ascending: list[float], metric: Metric, floor: float | None) -> float:
    """The round number at which a scale of these values ends."""
    largest = ascending[-1] if ascending else 0.0
    # Rounding alone must not fill the scale with heat: where there is a floor, it spans a few.
    least = max(_FLOORS * (floor or 0.0), 1.0) if metric.has_floor else 0.0
    rest = _without_furthest(ascending)
    # An outlier is cut off only where it would leave the others, that moved too, little room.
    reach = rest if largest > 2 * rest > 2 * least else largest
    top = _round_top(max(reach, least) if largest else max(least, 1.0))
    ceiling = metric.ceiling
    # Beyond what unrelated matrices show, more says no more, unless most values lie there.
    if ceiling is not None and top > 0.7 * ceiling and _upper_quarter(ascending) <= 1.1 * ceiling:
        return ceiling
    return top


def _round_top(value: float) -> float:
    """The least of the values where scales end that is not below this one (above 0)."""
    return _at_least(value, _FINE if value > _COARSE[-1] else _COARSE)


def _without_furthest(ascending: list[float]) -> float:
    """The largest value but for the hundredth, at least one of ten or more, that lies furthest."""
    if len(ascending) < 10:
        return ascending[-1] if ascending else 0.0
    return ascending[min(math.ceil(0.99 * (len(ascending) - 1)), len(ascending) - 2)]


def _upper_quarter(ascending: list[float]) -> float:
    """The value that three quarters do not exceed."""
    return ascending[3 * (len(ascending) - 1) // 4] if ascending else 0.0


def _low(ascending: list[float], top: float) -> float:
    """Where a logarithmic scale to ``top`` begins: a power of ten below all but the smallest
    hundredth of the values above 0, and no more than a few decades below the top."""
    positive = [value for value in ascending if 0 < value < top]
    smallest = positive[len(positive) // 100] if positive else top
    deepest = top * 10.0**-_DECADES
    low = 10.0 ** math.floor(math.log10(max(min(smallest, top / 2), deepest)))
    return max(low, deepest)


def _at_least(value: float, steps: tuple[float, ...]) -> float:
    """The smallest of ``steps`` times a power of ten that is not below the value (above 0)."""
    value = max(value, _LEAST_TOP)
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in steps if value <= step * size * (1 + 1e-9))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
