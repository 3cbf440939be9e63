"""The heatmap's margins: each layer's and each component's own number, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from modeldiff.drawings.heatmap.geometry import Grid
from modeldiff.drawings.heatmap.headings import small_numbers
from modeldiff.drawings.style.ink import Paint
from modeldiff.drawings.style.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd


def margins(cells: pd.DataFrame, grid: Grid, metric: Metric, paint: Paint) -> list[alt.Chart]:
    """Each layer's and each component's own number as a bar, at the right and below the grid."""
    if grid.margin_x is None or grid.margin_y is None:
        return []
    drawn = []
    for region in ("layer", "column"):
        values = cells.loc[cells["region"] == region, "value"]
        # A bar is as long as the change, also where the number falls with it.
        change = "datum.value" if metric.rises else f"({metric.limit!r} - datum.value)"
        longest = values.max() if metric.rises else (metric.limit or 0) - values.min()
        if not values.notna().any():
            continue
        sideways = (region == "layer") != grid.across
        bars = (
            alt.Chart()
            .transform_filter(f"datum.region == '{region}' && isValid(datum.value)")
            .transform_calculate(bar="'change'", length=f"{change} / {float(longest or 1)!r}")
        )
        if sideways:
            drawn += _bars_at_the_right(bars, grid, paint)
        else:
            drawn += _bars_below(bars, grid, paint)
    whole = "all\nexperts" if grid.experts else "whole\nlayer"
    name = "all\nlayers" if grid.across else whole
    heading = {"x": grid.margin_x, "y": grid.header_bottom - 13, "name": name}
    drawn.append(
        alt.Chart({"values": [heading]})
        .mark_text(
            aria=False, align="left", baseline="bottom", lineBreak="\n", lineHeight=13, fontSize=11
        )
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("name:N"), color=paint.words)
    )
    return drawn


def _bars_at_the_right(bars: alt.Chart, grid: Grid, paint: Paint) -> list[alt.Chart]:
    # The numbers stand beside the longest bar, one below the other.
    bars = bars.transform_calculate(
        end="datum.x + 0.5 * (datum.x2 - datum.x) * datum.length",
        at="datum.x + 0.54 * (datum.x2 - datum.x)",
        ym="(datum.y + datum.y2) / 2",
        top="datum.y + 0.2 * (datum.y2 - datum.y)",
        bottom="datum.y + 0.8 * (datum.y2 - datum.y)",
    )
    size = "width >= 560 ? 11 : 9" if grid.row_height >= 11 else "0"
    return [
        bars.mark_rect(aria=False, strokeWidth=0, opacity=0.8).encode(
            x=alt.X("x:Q"),
            x2=alt.X2("end:Q"),
            y=alt.Y("top:Q"),
            y2=alt.Y2("bottom:Q"),
            fill=paint.bars,
        ),
        bars.mark_text(
            aria=False, align="left", baseline="middle", fontSize=alt.ExprRef(size)
        ).encode(x=alt.X("at:Q"), y=alt.Y("ym:Q"), text=alt.Text("shown:N"), color=paint.words),
    ]


def _bars_below(bars: alt.Chart, grid: Grid, paint: Paint) -> list[alt.Chart]:
    bars = bars.transform_calculate(
        left="datum.x + 0.18 * (datum.x2 - datum.x)",
        right="datum.x2 - 0.18 * (datum.x2 - datum.x)",
        xm="(datum.x + datum.x2) / 2",
        bottom="datum.y + 28 * datum.length",
        at="datum.y + 28 * datum.length + 3",
    )
    return [
        bars.mark_rect(aria=False, strokeWidth=0, opacity=0.8).encode(
            x=alt.X("left:Q"),
            x2=alt.X2("right:Q"),
            y=alt.Y("y:Q"),
            y2=alt.Y2("bottom:Q"),
            fill=paint.bars,
        ),
        bars.mark_text(
            aria=False, align="center", baseline="top", fontSize=alt.ExprRef(small_numbers(grid))
        ).encode(x=alt.X("xm:Q"), y=alt.Y("at:Q"), text=alt.Text("shown:N"), color=paint.words),
    ]
