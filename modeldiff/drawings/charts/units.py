"""Change a head, a block of neurons or an expert: a bar each, or a grid where they are many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from modeldiff.changes import Statistics, UnitChanges, Units
from modeldiff.drawings.charts.chart_width import fitted
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.drawings.style.value_scale import ValueScale, value_scale_of

if TYPE_CHECKING:
    import altair as alt

_HEIGHT = 130
_GREY = "gray"


def unit_names(units: Units) -> tuple[str, ...]:
    """What each unit is called: ``query head 5``, ``neurons 224–447``."""
    if units.kind != "neuron block":
        return tuple(f"{units.kind} {number}" for number in range(len(units)))
    return tuple(
        f"neurons {start:,}–{stop - 1:,}" if stop - start > 1 else f"neuron {start:,}"
        for start, stop in pairwise(units.edges)
    )


def unit_chart(changes: UnitChanges, metric: Metric) -> alt.LayerChart:
    """A bar a unit in the page's theme, from 0. Query heads that read one KV head stand together,
    every second such group on a band."""
    import altair as alt

    units = changes.units
    names = unit_names(units)
    scale = _scale(changes.statistics, metric)
    groups = units.groups if units.kind == "query head" else ()
    rows = []
    for number, (name, each) in enumerate(zip(names, changes.statistics, strict=True)):
        whose = f"{name}, reads KV head {groups[number]}" if groups else name
        place = {"from": number - 0.42, "to": number + 0.42, "middle": number}
        rows.append(place | _row(whose, each, metric, scale))
    across = alt.Scale(domain=[-0.5, len(units) - 0.5], nice=False, zero=False)
    up = alt.Scale(domain=[0, scale.top], nice=False)
    bars = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("from:Q", scale=across, axis=_axis(units)), x2=alt.X2("to:Q")
    )
    layers = [*_bands(groups, across)]
    layers.append(
        bars.mark_rect(strokeWidth=0).encode(
            y=alt.Y("value:Q", scale=up, axis=alt.Axis(title=None, tickCount=4, format="~r")),
            y2=alt.Y2(datum=0),
            color=alt.Color("kind:N", scale=alt.Scale(domain=[" ", "change"]), legend=None),
            tooltip=_tooltip(metric),
            description=alt.Description("description:N"),
        )
    )
    if any(row["infinite"] for row in rows):
        layers.append(
            bars.transform_filter("datum.infinite")
            .mark_text(text="∞", baseline="top", fontSize=13, color=_GREY, aria=False)
            .encode(x=alt.X("middle:Q", scale=across), x2=alt.X2(), y=alt.Y("value:Q", scale=up))
        )
    if scale.floor is not None:
        floor = alt.Chart(alt.InlineData(values=[{"floor": scale.floor}]))
        layers.append(
            floor.mark_rule(strokeDash=[3, 3], color=_GREY, aria=False).encode(
                y=alt.Y("floor:Q", scale=up)
            )
        )
    return fitted(layers, _HEIGHT)


def expert_chart(
    experts: Mapping[int, Statistics], metric: Metric, *, selected: int | None = None
) -> alt.LayerChart:
    """A cell an expert, in rows, its colour the metric. Its selection is called ``expert`` and has
    the field ``expert``."""
    import altair as alt

    across = min(len(experts), 8 if len(experts) <= 64 else 16)
    scale = _scale(tuple(experts.values()), metric)
    rows = []
    for place, (number, each) in enumerate(experts.items()):
        row = _row(f"expert {number}", each, metric, scale)
        where = {"expert": number, "column": place % across, "row": place // across}
        shade = row["value"] / scale.top
        dark = (shade > 0.5) == metric.rises
        rows.append(row | where | {"chosen": number == selected, "light": dark})
    grid = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("column:O", axis=None), y=alt.Y("row:O", axis=None)
    )
    cells = (
        grid.mark_rect(stroke=_GREY, cursor="pointer", cornerRadius=2)
        .encode(
            color=alt.Color(
                "value:Q",
                legend=None,
                scale=alt.Scale(
                    domain=[0, scale.top], range="heatmap", reverse=not metric.rises, clamp=True
                ),
            ),
            strokeWidth=alt.condition("datum.chosen", alt.value(3), alt.value(0.4)),
            tooltip=_tooltip(metric),
            description=alt.Description("description:N"),
        )
        .add_params(alt.selection_point(name="expert", fields=["expert"], on="click"))
    )
    return fitted([cells], 26 * math.ceil(len(experts) / across))


def units_alt(names: Sequence[str], statistics: Sequence[Statistics], metric: Metric) -> str:
    """One sentence with the picture's facts."""
    known = [
        (v, name)
        for name, s in zip(names, statistics, strict=True)
        if (v := metric.value(s)) is not None
    ]
    if not known:
        return f"{metric.label}: no unit has a value."
    (least, least_name), (most, most_name) = min(known), max(known)
    return (
        f"{metric.label} of {len(names)} units: largest in {most_name} ({metric.format(most)}), "
        f"smallest in {least_name} ({metric.format(least)})."
    )


def _scale(statistics: Sequence[Statistics], metric: Metric) -> ValueScale:
    values = [value for each in statistics if (value := metric.value(each)) is not None]
    scale = value_scale_of(statistics, metric)
    largest = max((value for value in values if math.isfinite(value)), default=0.0)
    if scale.floor is None and 0 < largest < scale.top / 3:
        # Units are compared with one another, and the axis has its numbers.
        return replace(scale, top=1.2 * largest)
    return scale


def _row(name: str, statistics: Statistics, metric: Metric, scale: ValueScale) -> dict[str, Any]:
    value = metric.value(statistics)
    reading = metric.format(value)
    others = {each.key: each.format(each.value(statistics)) for each in _TOOLTIP_METRICS}
    return others | {
        "name": name,
        "value": 0.0 if value is None else min(value, scale.top),
        "infinite": value is not None and math.isinf(value),
        "kind": "change",
        "reading": reading,
        "description": f"{name}: {metric.label.lower()} {reading}",
    }


_TOOLTIP_METRICS = tuple(
    metric
    for metric in METRICS
    if metric.key in ("median_pct", "unchanged_pct", "rel_frobenius_pct")
)


def _tooltip(metric: Metric) -> list[alt.Tooltip]:
    import altair as alt

    titles = {"name": "What", "reading": metric.label}
    titles |= {each.key: each.label for each in _TOOLTIP_METRICS if each.key != metric.key}
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]


def _axis(units: Units) -> alt.Axis:
    import altair as alt

    count = len(units)
    step = next(s for s in (1, 2, 4, 8, 16, 32, 64, 10**9) if count / s <= 16)
    blocks = units.kind == "neuron block" and units.edges[-1] > count
    starts = [units.edges[n] if units.kind == "neuron block" else n for n in range(count)]
    return alt.Axis(
        values=list(range(0, count, step)),
        labelExpr=f"{starts}[datum.value]",
        title="neurons from" if blocks else units.kind.removesuffix(" block"),
        titleFontWeight="normal",
        titleFontSize=13,
        labelFontSize=13,
        labelOverlap=True,
        grid=False,
        ticks=False,
    )


def _bands(groups: Sequence[int], across: alt.Scale) -> list[alt.Chart]:
    """A band behind every second KV group, and each group's number over it."""
    import altair as alt

    if len(set(groups)) in (0, 1, len(groups)):
        return []
    runs = [
        (group, [n for n, _ in run])
        for group, run in groupby(enumerate(groups), key=lambda item: item[1])
    ]
    rows = [
        {
            "from": run[0] - 0.5,
            "to": run[-1] + 0.5,
            "middle": (run[0] + run[-1]) / 2,
            "group": f"KV {group}" if len(runs) <= 8 else str(group),
            "second": bool(place % 2),
        }
        for place, (group, run) in enumerate(runs)
    ]
    chart = alt.Chart(alt.InlineData(values=rows))
    bands = chart.mark_rect(color=_GREY, aria=False).encode(
        x=alt.X("from:Q", scale=across),
        x2=alt.X2("to:Q"),
        y=alt.value(-16),
        y2=alt.value(_HEIGHT),
        opacity=alt.condition("datum.second", alt.value(0.16), alt.value(0.06)),
    )
    if len(runs) > 16:
        return [bands]
    names = chart.mark_text(y=-8, fontSize=13, color=_GREY, aria=False).encode(
        x=alt.X("middle:Q", scale=across), text="group:N"
    )
    return [bands, names]
