"""The heatmap as an Altair chart: layers × columns, with the tensors outside the layers as bars.

One layered chart, so that it stretches to the page. Colours that mean something come from the
theme's sequential scale, words from its named grey, and what stands on a coloured cell is dark or
light by that cell's luminance: nothing here knows whether the page is dark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

from modeldiff.drawings.charts.vega_spec import DATA, chart_spec, with_data
from modeldiff.drawings.heatmap.cell_labels import mark_charts, number_charts, words
from modeldiff.drawings.heatmap.colour_scales import choose_colour_scales
from modeldiff.drawings.heatmap.frame import in_picture
from modeldiff.drawings.heatmap.geometry import Grid, place_cells
from modeldiff.drawings.heatmap.headings import headings, row_labels
from modeldiff.drawings.heatmap.legend import legend, legend_height, tops
from modeldiff.drawings.heatmap.margins import margins
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.ink import GREY, Paint
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.palette import FILE_FONT, Palette

if TYPE_CHECKING:
    import pandas as pd

_LABEL_EVERY = 14.0
"""The least distance in pixels between the labels of rows."""
_NOT_DRAWN = [
    *("status", "rank", "group", "kind", "part", "resolution"),
    *("layer_label", "layer_lines"),
]
"""Columns of the frame that the chart has no use for, so that they are not sent."""
_DEFAULT = HeatmapOptions()


def heatmap_chart(
    frame: pd.DataFrame,
    metric: Metric,
    *,
    options: HeatmapOptions = _DEFAULT,
    selected: tuple[int | None, str] | None = None,
    expert: int | None = None,
    palette: Palette | None = None,
) -> alt.LayerChart:
    """The chart of a frame of ``heatmap_frame`` (with the same ``options.experts``).

    Its selection is called ``cell`` and has the fields ``layer``, ``column`` and ``expert``; in the
    margins ``column`` is empty for a whole layer, ``layer`` null for a column over all layers.
    ``selected`` (and its ``expert``) is outlined; that is in the data alone, so that choosing
    another cell draws nothing anew. ``palette`` is for files; without it the page's theme gives
    colours and fonts.
    """
    scales = choose_colour_scales(frame, metric, options)
    grid = place_cells(frame, metric, options, top=legend_height(scales))
    cells = frame.join(grid.cells)
    cells["heat"] = scales.heat(frame)
    cells["selected"] = _is_selected(cells, selected, expert)
    paint = Paint(GREY) if palette is None else Paint(palette.muted, (palette.accent, palette.bar))
    chart = alt.LayerChart(
        data=cells.drop(columns=_NOT_DRAWN),
        layer=[
            _rectangles(metric, grid, tops(scales), notes=bool((cells["note"] != "").any())),
            *(legend(scales, metric, paint) if frame["value"].notna().any() else ()),
            *headings(grid, tops(scales), paint),
            *number_charts(grid),
            *words(cells, grid, paint),
            *margins(cells, grid, metric, paint),
            *mark_charts(cells, paint),
            _outline(),
        ],
        height=grid.height,
        padding={"left": 0, "right": 3, "top": 3, "bottom": 3} if palette is None else 16,
        # As wide as there is room, and as high as the rows need.
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


@dataclass(frozen=True)
class HeatmapSpec:
    """A chart as a specification that stays, and its cells apart.

    Choosing another cell changes the data alone, so that a page need not draw the chart anew.
    """

    spec: Mapping[str, Any]

    def with_selected(
        self, selected: tuple[int | None, str] | None, expert: int | None = None
    ) -> dict[str, Any]:
        """The whole specification with a cell outlined; the cells in it are a frame."""
        cells = self.spec["datasets"][DATA]
        return with_data(self.spec, cells.assign(selected=_is_selected(cells, selected, expert)))


def heatmap_spec(chart: alt.LayerChart) -> HeatmapSpec:
    """The specification of a chart of ``heatmap_chart`` without a palette."""
    return HeatmapSpec(chart_spec(chart))


def heatmap_guide(frame: pd.DataFrame, metric: Metric, options: HeatmapOptions = _DEFAULT) -> str:
    """How the picture's colours are to be read, in sentences for below it."""
    guide = choose_colour_scales(frame, metric, options).guide()
    known = frame[in_picture(frame) & frame["value"].notna()]
    below = known["value"] < known["resolution"]
    if metric.has_floor and below.mean() > 0.8 and (known["unchanged"] != "100 %").any():
        guide += (
            " Nearly all numbers lie below it: Relative Frobenius norm and Unchanged elements tell"
            " more here."
        )
    if metric.by_size and (frame["column"] == "").any():
        guide += " In a whole layer's number the norms weigh much, whose values are large."
    return guide


def _is_selected(
    cells: pd.DataFrame, selected: tuple[int | None, str] | None, expert: int | None
) -> pd.Series[bool]:
    if selected is None:
        return cells["column"].isna()
    layer, column = selected
    return (cells["column"] == column) & _is(cells["layer"], layer) & _is(cells["expert"], expert)


def _is(number_charts: pd.Series[int], number: int | None) -> pd.Series[bool]:
    matches = number_charts.isna() if number is None else number_charts.eq(number).fillna(False)
    return matches.astype(bool)


def _rectangles(
    metric: Metric, grid: Grid, column_tops: Mapping[str, str], *, notes: bool
) -> alt.Chart:
    coloured = "isValid(datum.heat)"
    margin = "datum.region == 'layer' || datum.region == 'column'"
    across = alt.Scale(domain=[0, grid.width], nice=False, zero=False)
    down = alt.Scale(domain=[0, grid.height], nice=False, zero=False, reverse=True)
    colours = alt.Scale(domain=[0, 1], clamp=True, nice=False, range="heatmap")
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
            y=alt.Y("y:Q", scale=down, axis=_row_axis(grid, column_tops)),
            y2=alt.Y2("y2:Q"),
            color=alt.condition(
                coloured,
                alt.Color("heat:Q", scale=colours, legend=None),
                alt.value("#808080"),
            ),
            # What exists without a value is a faint grey box; what does not exist is nothing. A
            # margin's bar stands on a box that can be pointed at and not be seen.
            fillOpacity=alt.value(alt.ExprRef(f"{margin} ? 0 : {coloured} ? 1 : 0.1")),
            strokeOpacity=alt.value(alt.ExprRef(f"{margin} ? 0 : {coloured} ? 0.2 : 0.35")),
            tooltip=_tooltip(metric, notes),
            description=alt.Description("description:N"),
        )
        .add_params(
            alt.selection_point(name="cell", fields=["layer", "column", "expert"], on="click")
        )
    )
    return rectangles


def _row_axis(grid: Grid, column_tops: Mapping[str, str]) -> alt.Axis | None:
    lines = grid.rows.lines
    if not lines or grid.margin_y is None:
        return None
    # Layers and experts are counted, components are named: of these none can be left out.
    counted = grid.experts if grid.across else "layers"
    steps = (1, 5, 10, 20, 50, 100) if counted else (1,)
    step = next((step for step in steps if step * grid.row_height >= _LABEL_EVERY), steps[-1])
    labels = {
        f"{(line.start + line.end) / 2:.2f}": text
        for line, text in list(zip(lines, row_labels(grid, column_tops), strict=True))[::step]
    }
    whole = "all experts" if grid.experts else "whole layer"
    labels[f"{grid.margin_y + 12:.2f}"] = whole if grid.across else "all"
    title = None if grid.across else "layer"
    return alt.Axis(
        values=[float(middle) for middle in labels],
        # Vega thins out given values, too, when it counts fewer.
        tickCount=len(labels),
        labelExpr=f"{json.dumps(labels)}[format(datum.value, '.2f')]",
        title=title,
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
        labelLimit=190,
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
