"""One parameter over all layers as a small Altair chart: a bar a layer, one of them marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import altair as alt

from modeldiff.changes.change import Statistics
from modeldiff.drawings.charts.vega_spec import DATA, chart_spec, with_data
from modeldiff.drawings.style.ink import GREY
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.value_scale import ValueScale, value_scale_of

if TYPE_CHECKING:
    import pandas as pd

OverLayers = Sequence[tuple[int, Statistics | None]]
"""Each layer and its statistics (experts merged), ascending; None where it has none."""

NO_LABELS: Mapping[int, str] = {}
"""Layers are called by their numbers."""
_HEIGHT = 132
# Over the scale's top there is room for the marked layer's number.
_HEADROOM = 1.2
_MOST_LABELS = 12


def over_layers_spec(
    layers: OverLayers,
    metric: Metric,
    *,
    selected: int | None,
    labels: Mapping[int, str] = NO_LABELS,
) -> dict[str, Any]:
    """The chart as a specification in the page's theme, with the data apart, in a frame.

    ``selected`` is the layer that is marked, None marks none; ``labels`` is what people call layers
    that were aligned, and so are counted over both sides. The chart's selection is called
    ``over`` and has the field ``layer``. Floor and ceiling are lines with their names; a ceiling
    above the scale is named at its top. The data alone say which layer is marked, so that marking
    another draws nothing anew.
    """
    title = "layer, counted over both" if labels else "layer"
    spec = _empty_spec(layers[0][0], layers[-1][0], title, _scale(layers, metric))
    return with_data(spec, _frame(layers, metric, selected, labels))


def _scale(layers: OverLayers, metric: Metric) -> ValueScale:
    return value_scale_of((s for _, s in layers if s is not None), metric)


@lru_cache(maxsize=64)
def _empty_spec(first: int, last: int, title: str, scale: ValueScale) -> dict[str, Any]:
    """Kept, as from one layer to the next, and often from a place to another, it is the same."""
    return chart_spec(_empty_chart(first, last, title, scale))


def _empty_chart(first: int, last: int, title: str, scale: ValueScale) -> alt.LayerChart:
    """The chart but for its data."""
    bars = alt.Chart().transform_filter("isValid(datum.value)")
    x, x2 = (
        alt.X("from:Q", scale=_across(first, last), axis=_layer_axis(first, last, title)),
        alt.X2("to:Q"),
    )
    y = alt.Y("value:Q", scale=_up(scale), axis=_value_axis(scale))
    chart = alt.LayerChart(
        data=alt.NamedData(name=DATA),
        layer=[
            *_lines(scale),
            bars.mark_rect(aria=False, strokeWidth=0).encode(
                x=x,
                x2=x2,
                y=y,
                y2=alt.Y2(datum=0),
                color=alt.Color(
                    "kind:N",
                    # Change has the theme's second colour, on every drawing.
                    scale=alt.Scale(domain=["", "change"], range="category"),
                    legend=None,
                ),
                opacity=alt.condition("datum.faint", alt.value(0.5), alt.value(1)),
            ),
            # In a corner, as over its bar it would cover the neighbours'.
            alt.Chart()
            .transform_filter("datum.selected")
            .mark_text(aria=False, align="left", baseline="line-top", fontSize=13, fontWeight=600)
            .encode(
                x=alt.value(2),
                y=alt.value(0),
                text=alt.Text("name:N"),
                color=alt.value(GREY),
            ),
            alt.Chart()
            .transform_filter("datum.infinite")
            .mark_text(aria=False, text="∞", baseline="bottom", dy=-2, fontSize=13)
            .encode(x=alt.X("layer:Q"), y=alt.Y(datum=0, axis=None), color=alt.value(GREY)),
            # Whatever the bar's height, all of its column can be pointed at.
            alt.Chart()
            .mark_rect(opacity=0, cursor="pointer", invalid="show")
            .encode(
                x=x,
                x2=x2,
                y=alt.Y(datum=0, axis=None),
                y2=alt.Y2(datum=scale.top * _HEADROOM),
                tooltip=[
                    alt.Tooltip("label:N", title="Layer"),
                    alt.Tooltip("reading:N", title=scale.metric.label),
                ],
                description=alt.Description("description:N"),
            )
            .add_params(alt.selection_point(name="over", fields=["layer"], on="click")),
        ],
        height=_HEIGHT,
        padding={"left": 0, "right": 3, "top": 3, "bottom": 0},
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    # Values at the left, floor and ceiling at the right.
    chart = chart.resolve_axis(y="independent")
    configured: alt.LayerChart = chart.configure(view=alt.ViewConfig(strokeWidth=0))
    return configured


def over_layers_alt(
    layers: OverLayers, metric: Metric, labels: Mapping[int, str] = NO_LABELS
) -> str:
    """One sentence with the chart's facts, for who does not see it. ``labels`` as for the chart."""
    known = [(value, n) for n, s in layers if (value := metric.value(s)) is not None]
    if not known:
        return f"{metric.label}: no layer has a value."
    (least, least_at), (most, most_at) = min(known), max(known)
    return (
        f"{metric.label} over {len(layers)} layers: largest in layer {labels.get(most_at, most_at)}"
        f" ({metric.format(most)}), smallest in layer"
        f" {labels.get(least_at, least_at)} ({metric.format(least)})."
    )


def _frame(
    layers: OverLayers, metric: Metric, selected: int | None, labels: Mapping[int, str]
) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for number, statistics in layers:
        value = metric.value(statistics)
        finite = value is not None and math.isfinite(value)
        reading = "no value" if value is None else metric.format(value)
        marked = number == selected
        label = labels.get(number, str(number))
        rows.append(
            {
                "layer": number,
                "label": label,
                "from": number - 0.42,
                "to": number + 0.42,
                "value": value if finite else None,
                "kind": "change",
                "reading": reading,
                "name": f"layer {label}: {reading}",
                "selected": marked,
                "infinite": value == math.inf,
                "faint": selected is not None and not marked,
                "description": f"layer {label}: {metric.label.lower()} {reading}",
            }
        )
    return pd.DataFrame(rows).astype({"value": "float64"})


def _across(first: int, last: int) -> alt.Scale:
    return alt.Scale(domain=[first - 0.5, last + 0.5], nice=False, zero=False)


def _up(scale: ValueScale) -> alt.Scale:
    return alt.Scale(domain=[0, scale.top * _HEADROOM], nice=False, clamp=True)


def _layer_axis(first: int, last: int, title: str) -> alt.Axis:
    step = next(
        s for s in (1, 2, 5, 10, 20, 50, 100, 1000, 10**5) if (last - first) / s <= _MOST_LABELS
    )
    return alt.Axis(
        values=list(range(-(-first // step) * step, last + 1, step)),
        format="d",
        title=title,
        titleFontSize=13,
        titleFontWeight="normal",
        titlePadding=2,
        grid=False,
        domain=False,
        ticks=False,
        labelFontSize=13,
        labelOverlap=True,
    )


def _value_axis(scale: ValueScale) -> alt.Axis:
    return alt.Axis(
        values=[0, scale.top / 2, scale.top],
        format=".3~g",
        title=None,
        grid=False,
        domain=False,
        ticks=False,
        labelFontSize=13,
        labelPadding=4,
        minExtent=26,
    )


def _lines(scale: ValueScale) -> list[alt.Chart]:
    """Floor and ceiling across all layers, each with its name at the right."""
    metric = scale.metric
    names = {scale.floor: "floor", scale.ceiling: "unrelated"}
    marks = {at: [name, metric.format(at)] for at, name in names.items() if at}
    lines = list(marks)
    if scale.ceiling is None and metric.ceiling is not None:
        above = "\N{UPWARDS ARROW} unrelated"
        marks[scale.top * _HEADROOM] = [above, metric.format(metric.ceiling)]
    if not marks:
        return []
    axis = alt.Axis(
        orient="right",
        values=list(marks),
        # The marks are told apart by their order, as numbers would be by rounding.
        labelExpr=f"{list(marks.values())}[datum.index * {len(marks) - 1}]",
        title=None,
        grid=False,
        domain=False,
        ticks=False,
        labelFontSize=13,
        labelPadding=4,
        labelOverlap=False,
        # Two lines, around the mark.
        labelOffset=-6,
    )
    rules = alt.Chart({"values": [{"at": at} for at in lines]}).mark_rule(
        aria=False, strokeDash=[3, 3]
    )
    return [rules.encode(y=alt.Y("at:Q", axis=axis), color=alt.value(GREY))]
