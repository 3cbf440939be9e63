"""How the relative change is spread over a tensor's elements: its histogram on a log axis."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from modeldiff.changes.change import Histogram, Statistics
from modeldiff.changes.statistics.histogram import bucket_edges, histogram_total
from modeldiff.drawings.charts.chart_width import fitted
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_pct, format_small

if TYPE_CHECKING:
    import altair as alt

_OCTAVE = 32
_QUARTERS = np.array([0, 6, 13, 22])
"""Where the quarters of an octave begin, in buckets: as wide as one another on a log axis. Narrower
bars would show the stored types' steps, not the change."""
_LEAST_SHARE = 2e-4
"""Bars at either end that together hold less than this share of the elements are left out."""
_HEIGHT = 120
_QUANTILES = ("p05_pct", "p25_pct", "p75_pct", "p95_pct", "p99_pct")


@dataclass(frozen=True)
class _Bar:
    """From ``x`` to ``x2``, a ``share`` of the elements in percent. ``label`` is what stands below
    the bars of 0 and infinity, empty for all others."""

    x: float
    x2: float
    share: float
    range: str
    label: str = ""


@dataclass(frozen=True)
class _Mark:
    """A value on the axis; a ``text`` beside it, or none for a small tick."""

    x: float
    name: str
    change: str
    text: str = ""
    row: int = 0


def spread_chart(statistics: Statistics) -> alt.LayerChart | None:
    """The chart in the page's theme, or None where nothing is counted.

    The axis is the decimal logarithm of the change in percent. Unchanged elements and infinite
    changes have no place on it and stand left and right of it.
    """
    import altair as alt

    histogram = statistics.histogram
    if histogram is None or not histogram_total(histogram):
        return None
    bars = _bars(histogram)
    between = [bar.share for bar in bars if not bar.label] or [100.0]
    # A bar of most elements is cut off, and its number says so; the others keep their shape.
    top = min(max(bar.share for bar in bars), 1.6 * max(between))
    rows = [
        asdict(bar) | {"top": min(bar.share, top), "kind": "change", "description": _bar_words(bar)}
        for bar in bars
    ]
    marks = [
        asdict(mark) for mark in _marks(statistics, bars) if bars[0].x <= mark.x <= bars[-1].x2
    ]
    across = alt.Scale(domain=[bars[0].x, bars[-1].x2], nice=False, zero=False)
    up = alt.Scale(domain=[0, 1.35 * top], nice=False)
    shapes = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(strokeWidth=0)
        .encode(
            x=alt.X("x:Q", scale=across, title=None, axis=_axis(bars)),
            x2=alt.X2("x2:Q"),
            y=alt.Y("top:Q", scale=up, axis=None),
            y2=alt.Y2(datum=0),
            color=alt.Color("kind:N", scale=alt.Scale(domain=[" ", "change"]), legend=None),
            tooltip=[
                alt.Tooltip("range:N", title="Change"),
                alt.Tooltip("share:Q", title="% of elements", format=".2f"),
            ],
            description=alt.Description("description:N"),
        )
    )
    points = alt.Chart(alt.InlineData(values=marks)).encode(
        x=alt.X("x:Q", scale=across),
        tooltip=[alt.Tooltip("name:N", title="Mark"), alt.Tooltip("change:N", title="Change")],
    )
    named = points.transform_filter("datum.text != ''")
    layers: list[alt.Chart] = [shapes]
    if any(mark["text"] for mark in marks):
        layers += [
            named.mark_rule(strokeWidth=1.5, color="gray", aria=False).encode(
                strokeDash=alt.StrokeDash(
                    "name:N", scale=alt.Scale(domain=["median", "floor"]), legend=None
                )
            ),
            named.mark_text(dx=4, align="left", fontSize=13, color="gray", aria=False).encode(
                text="text:N", y=alt.Y("row:Q", scale=None)
            ),
        ]
    if any(not mark["text"] for mark in marks):
        layers.append(
            points.transform_filter("datum.text == ''")
            .mark_point(shape="triangle-up", filled=True, size=40, color="gray", opacity=1)
            .encode(y=alt.value(_HEIGHT - 4))
        )
    return fitted(layers, _HEIGHT)


def spread_alt(statistics: Statistics) -> str:
    """The picture in a sentence."""
    quantiles = ", ".join(
        f"{name[1:3]} % below {format_pct(getattr(statistics, name))}" for name in _QUANTILES
    )
    return (
        f"How the relative change is spread over the elements: "
        f"{format_pct(statistics.unchanged_pct)} of them are unchanged, the median is "
        f"{format_pct(statistics.median_pct)}; {quantiles}. "
        f"The stored type's floor is {format_pct(statistics.resolution_pct)}."
    )


def _bars(histogram: Histogram) -> list[_Bar]:
    """Ascending, those of 0 and infinity at the ends."""
    total = histogram_total(histogram)
    octaves, within = np.divmod(histogram.buckets.astype(np.int64), _OCTAVE)
    numbers = 4 * octaves + np.searchsorted(_QUARTERS, within, side="right") - 1
    first = int(numbers.min()) if numbers.size else 0
    counts = np.bincount(numbers - first, weights=histogram.counts)
    upto = np.cumsum(counts)
    least = _LEAST_SHARE * (upto[-1] if numbers.size else 0)
    there = np.flatnonzero((upto > least) & (upto[-1:] - upto + counts > least))
    bars: list[_Bar] = []
    for number in range(there[0], there[-1] + 1) if there.size else ():
        octave, quarter = np.divmod(first + number + np.arange(2), 4)
        edges = bucket_edges(octave * _OCTAVE + _QUARTERS[quarter])
        low, high = (100 * float(edge) for edge in np.maximum(edges, 1e-45))
        where = f"{format_small(low)} – {format_small(high)} %"
        share = 100 * float(counts[number]) / total
        bars.append(_Bar(math.log10(low), math.log10(high), share, where))
    start, end = (bars[0].x, bars[-1].x2) if bars else (0.0, 0.0)
    wide = max((end - start) / 18, 0.2)
    for count, left, name in (
        (histogram.zero, start - 1.6 * wide, "unchanged"),
        (histogram.infinite, end + 0.6 * wide, "infinite: base is 0"),
    ):
        if count:
            share = 100 * count / total
            sign = "0" if name == "unchanged" else "∞"
            bar = _Bar(left, left + wide, share, name, f"['{sign}', '{format_pct(share)}']")
            bars = [bar, *bars] if name == "unchanged" else [*bars, bar]
    return bars


def _bar_words(bar: _Bar) -> str:
    return f"{bar.range}: {format_pct(bar.share)} of the elements"


def _axis(bars: list[_Bar]) -> alt.Axis:
    import altair as alt

    between = [bar for bar in bars if not bar.label]
    low, high = (between[0].x, between[-1].x2) if between else (0.0, -1.0)
    labels = {(bar.x + bar.x2) / 2: bar.label for bar in bars if bar.label}
    decades = range(math.floor(low), math.ceil(high) + 1)
    step = max(math.ceil((high - low) / 7), 1)
    values = [10.0**power for power in decades if power % step == 0]
    if high - low < 2:  # too narrow for decades alone
        values = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
    labels |= {
        math.log10(value): f"'{value:,.6g} %'"
        for value in values
        if low <= math.log10(value) <= high
    }
    ordered = sorted(labels)
    expression = "".join(f"abs(datum.value - {at}) < 1e-6 ? {labels[at]} : " for at in ordered)
    return alt.Axis(
        values=ordered,
        labelExpr=f"{expression}''",
        grid=False,
        domain=True,
        ticks=False,
        labelOverlap=True,
        labelFontSize=13,
        labelFlush=False,
    )


def _marks(statistics: Statistics, bars: list[_Bar]) -> list[_Mark]:
    """The median and the floor with their names, the other quantiles as ticks."""
    marks = []
    for number, (name, text) in enumerate((("median", "median"), ("floor", "floor"))):
        value = statistics.median_pct if name == "median" else statistics.resolution_pct
        at = _place(value, bars)
        if value is not None and at is not None:
            change = format_pct(value)
            marks.append(_Mark(at, name, change, f"{text} {change}", 6 + 14 * number))
    for name in _QUANTILES:
        value = getattr(statistics, name)
        at = _place(value, bars)
        if at is not None:
            marks.append(_Mark(at, f"{name[1:3]} % of the elements below", format_pct(value)))
    return marks


def _place(value: float | None, bars: list[_Bar]) -> float | None:
    if value is None or math.isnan(value):
        return None
    if value == 0 or math.isinf(value):
        end = bars[-1] if value else bars[0]
        return (end.x + end.x2) / 2 if end.label else None
    return math.log10(value)
