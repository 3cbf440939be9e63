"""The heatmap as an Altair chart: layers × columns, with the tensors outside the layers as bars.

One layered chart, so that it stretches to the page. Colours that mean something come from the
theme's sequential scale, words from its named grey, and what stands on a coloured cell is dark or
light by that cell's luminance: nothing here knows whether the page is dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from modeldiff.drawings.heatmap_grid import Grid, place_cells
from modeldiff.drawings.heatmap_words import GREY, Paint, headings, legend, marks, numbers, words
from modeldiff.drawings.metrics import Metric
from modeldiff.drawings.palette import FILE_FONT, Palette
from modeldiff.drawings.scale import Scale, choose_scale

if TYPE_CHECKING:
    import pandas as pd

# The least distance in pixels between the numbers of layers.
_LABEL_EVERY = 14.0


def heatmap_chart(
    frame: pd.DataFrame,
    metric: Metric,
    *,
    selected: tuple[int | None, str] | None = None,
    palette: Palette | None = None,
) -> alt.LayerChart:
    """The chart of a frame of ``heatmap_frame``.

    Its selection is called ``cell`` and has the fields ``layer`` and ``column``. ``selected`` is
    outlined; that is in the data alone, so that choosing another cell draws nothing anew.
    ``palette`` is for files; without it the page's theme gives colours and fonts.
    """
    grid = place_cells(frame)
    scale = choose_scale(frame["value"].dropna(), metric, frame["resolution"].dropna())
    cells = frame.join(grid.cells)
    cells["selected"] = _is_selected(cells, selected)
    paint = Paint(GREY if palette is None else palette.muted)
    chart = alt.LayerChart(
        data=cells,
        layer=[
            _rectangles(metric, scale, grid, notes=bool((cells["note"] != "").any())),
            *(legend(metric, scale, paint) if frame["value"].notna().any() else ()),
            *headings(grid, paint),
            *numbers(grid),
            *words(cells, grid, paint),
            *marks(cells, paint),
            _outline(),
        ],
        height=grid.height,
        padding={"left": 0, "right": 3, "top": 3, "bottom": 3} if palette is None else 16,
        # As wide as there is room, and as high as the layers need.
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    if palette is None:
        return chart
    ramp = list(palette.ramp)
    painted: alt.LayerChart = chart.configure(
        background=palette.surface,
        font=FILE_FONT,
        range={"heatmap": ramp, "ramp": ramp},
        mark=alt.MarkConfig(color=palette.accent),
        view=alt.ViewConfig(strokeWidth=0),
        axis=alt.AxisConfig(labelColor=palette.muted, titleColor=palette.muted),
        legend=alt.LegendConfig(labelColor=palette.text, labelFontSize=12),
        title=alt.TitleConfig(color=palette.text, subtitleColor=palette.muted),
    )
    return painted


def _is_selected(cells: pd.DataFrame, selected: tuple[int | None, str] | None) -> pd.Series[bool]:
    if selected is None:
        return cells["column"].isna()
    layer, column = selected
    in_layer = cells["layer"].isna() if layer is None else cells["layer"].eq(layer).fillna(False)
    return (cells["column"] == column) & in_layer.astype(bool)


def _rectangles(metric: Metric, scale: Scale, grid: Grid, *, notes: bool) -> alt.Chart:
    measured = "isValid(datum.value)"
    across = alt.Scale(domain=[0, grid.width], nice=False, zero=False)
    down = alt.Scale(domain=[0, grid.height], nice=False, zero=False, reverse=True)
    colours = alt.Scale(
        domain=[0, scale.top],
        clamp=True,
        nice=False,
        range="heatmap",
        reverse=not metric.rises,
    )
    rectangles: alt.Chart = (
        alt.Chart()
        .mark_rect(
            stroke="#808080",
            strokeWidth=1 if grid.row_height >= _LABEL_EVERY else 0.4,
            cursor="pointer",
            # Cells without a value are drawn, too: they can be pointed at, clicked and read out.
            invalid="show",
        )
        .encode(
            x=alt.X("x:Q", scale=across, axis=None),
            x2=alt.X2("x2:Q"),
            y=alt.Y("y:Q", scale=down, axis=_layer_axis(grid)),
            y2=alt.Y2("y2:Q"),
            color=alt.condition(
                measured,
                alt.Color("value:Q", scale=colours, legend=None),
                alt.value("#808080"),
            ),
            # What exists without a value is a faint grey box; what does not exist is nothing.
            fillOpacity=alt.condition(measured, alt.value(1), alt.value(0.1)),
            strokeOpacity=alt.condition(measured, alt.value(0.2), alt.value(0.35)),
            tooltip=_tooltip(metric, notes),
            description=alt.Description("description:N"),
        )
        .add_params(alt.selection_point(name="cell", fields=["layer", "column"], on="click"))
    )
    return rectangles


def _layer_axis(grid: Grid) -> alt.Axis | None:
    if not grid.layers:
        return None
    step = next(
        (step for step in (1, 5, 10, 20, 50) if step * grid.row_height >= _LABEL_EVERY), 100
    )
    rows = range(0, len(grid.layers), step)
    middles = [grid.layer_top + (row + 0.5) * grid.row_height for row in rows]
    numbers = [grid.layers[row] for row in rows]
    return alt.Axis(
        values=middles,
        # Vega thins out given values, too, when it counts fewer.
        tickCount=len(middles),
        labelExpr=f"{numbers}[round((datum.value - {middles[0]}) / {step * grid.row_height})]",
        title="layer",
        titleAngle=0,
        titleAlign="right",
        titleBaseline="bottom",
        titleFontSize=11,
        titleFontWeight="normal",
        titleX=-6,
        titleY=grid.header_bottom,
        grid=False,
        domain=False,
        ticks=False,
        labelPadding=6,
        labelOverlap=False,
        labelFontSize=11,
        minExtent=32,
    )


def _tooltip(metric: Metric, notes: bool) -> list[alt.Tooltip]:
    titles = {
        "place": "Place",
        "reading": metric.label,
        "median": "Median relative change",
        "unchanged": "Unchanged elements",
        "frobenius": "Relative Frobenius norm",
        "cosine": "Cosine",
        "floor": "Floor of the stored type",
        "base_name": "Base",
        "base_shape": "Base's shape",
        "target_name": "Target",
        "target_shape": "Target's shape",
    }
    if notes:
        titles["note"] = "Note"
    # Vega writes fields of one title over each other: the metric's own line would be lost.
    shown = {
        name: title for name, title in titles.items() if name == "reading" or title != metric.label
    }
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in shown.items()]


def _outline() -> alt.Chart:
    outline: alt.Chart = (
        alt.Chart()
        .transform_filter("datum.selected")
        .mark_rect(filled=False, strokeWidth=3, cornerRadius=2, aria=False)
        .encode(x=alt.X("x:Q"), x2=alt.X2("x2:Q"), y=alt.Y("y:Q"), y2=alt.Y2("y2:Q"))
    )
    return outline
