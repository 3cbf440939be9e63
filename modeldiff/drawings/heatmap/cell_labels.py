"""What stands on the heatmap's cells: numbers, names and marks.

These layers take no clicks (they have no tooltip), so a click on a number chooses its cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from modeldiff.drawings.heatmap.frame import MARKS, NOT_FINITE, PARTIAL, in_picture
from modeldiff.drawings.heatmap.geometry import Grid
from modeldiff.drawings.style.ink import INK, Paint

if TYPE_CHECKING:
    import pandas as pd

_STROKES = {
    NOT_FINITE: "M0,-.7L.75,.6H-.75ZM0,-.25V.15M0,.33V.42",
    "not measured yet": "M-.1,-.1H.1V.1H-.1Z",
    "only in base": "M-.6,0H.6",
    "only in target": "M-.6,0H.6M0,-.6V.6",
    "other shape": "M-.6,-.22H.6M-.6,.22H.6M-.35,.6L.35,-.6",
    "unreadable": "M-.5,-.5L.5,.5M-.5,.5L.5,-.5",
    "quantised": "M-.5,-.5H.5V.5H-.5ZM0,-.5V.5M-.5,0H.5",
    "infinite": "M0,0C-.3,-.55,-.85,-.5,-.85,0C-.85,.5,-.3,.55,0,0"
    "C.3,-.55,.85,-.5,.85,0C.85,.5,.3,.55,0,0Z",
    PARTIAL: "M-.6,-.6H.6L-.6,.6Z",
    "no value": "M-.3,.6L.3,-.6",
    "tied": "M-.6,-.22H.6M-.6,.22H.6",
    "buffer": "M-.45,-.45H.45V.45H-.45Z",
}
_MEANINGS = {
    NOT_FINITE: "has NaN or infinite values",
    "no value": "nothing to measure",
    "infinite": "infinite: base is mostly zero",
    PARTIAL: "compared by the rows that both have",
}
_MOST_WORDS = 16
_MOST_NUMBERS = 900


def number_charts(grid: Grid) -> list[alt.Chart]:
    """The numbers in the grid's cells, as large as the drawn width allows; none in a huge grid."""
    if grid.row_height < 13 or len(grid.rows.lines) * len(grid.columns.lines) > _MOST_NUMBERS:
        return []
    column = f"width / {grid.width:.2f}"
    size = f"{column} >= 48 ? 12 : {column} >= 36 ? 10.5 : {column} >= 28 ? 9 : 0"
    return [
        alt.Chart()
        .transform_filter("datum.region == 'grid' && isValid(datum.value)")
        .transform_calculate(xm="(datum.x + datum.x2) / 2", ym="(datum.y + datum.y2) / 2")
        .mark_text(aria=False, baseline="middle", fontSize=alt.ExprRef(size))
        .encode(
            x=alt.X("xm:Q"),
            y=alt.Y("ym:Q"),
            text=alt.Text("shown:N"),
            color=alt.value(alt.ExprRef(INK)),
        )
    ]


def words(cells: pd.DataFrame, grid: Grid, paint: Paint) -> list[alt.Chart]:
    """Name and number on the broad bars outside the layers."""
    if not 0 < int(cells["region"].isin(["above", "below"]).sum()) <= _MOST_WORDS:
        return []
    bars = (
        alt.Chart()
        .transform_filter("datum.region == 'above' || datum.region == 'below'")
        .transform_calculate(
            ym="(datum.y + datum.y2) / 2",
            words="datum.column + '\u2002' + datum.reading"
            " + (isValid(datum.value) && datum.mark ? ', ' + datum.mark : '')",
        )
    )
    style: dict[str, Any] = {
        "aria": False,
        "align": "left",
        "baseline": "middle",
        "dx": 8,
        "fontSize": 12,
        "limit": alt.ExprRef(f"(datum.x2 - datum.x) * width / {grid.width:.2f} - 26"),
    }
    at = {"x": alt.X("x:Q"), "y": alt.Y("ym:Q"), "text": alt.Text("words:N")}
    ink = alt.value(alt.ExprRef(INK))
    return [
        bars.transform_filter("isValid(datum.value)").mark_text(**style).encode(**at, color=ink),
        bars.transform_filter("!isValid(datum.value)")
        .mark_text(**style)
        .encode(**at, color=paint.words),
    ]


def mark_charts(cells: pd.DataFrame, paint: Paint) -> list[alt.Chart]:
    """A sign in each cell whose colour does not say all, with a legend of the signs that occur."""
    cells = cells[in_picture(cells)]
    present = [mark for mark in MARKS if (cells["mark"] == mark).any()]
    if not present:
        return []
    meanings = "{" + ",".join(f"'{mark}':'{text}'" for mark, text in _MEANINGS.items()) + "}"
    return [
        alt.Chart()
        .transform_filter("datum.mark != '' && datum.region != 'layer' && datum.region != 'column'")
        .transform_calculate(
            # On a broad bar the words stand at the left, so the sign goes to the right.
            xm="datum.region == 'grid' ? (datum.x + datum.x2) / 2"
            " : datum.x2 - 0.02 * (datum.x2 - datum.x)",
            ym="(datum.y + datum.y2) / 2",
            sign=f"{meanings}[datum.mark] || datum.mark",
        )
        .mark_point(filled=False, strokeWidth=1.6, size=80, opacity=1, aria=False)
        .encode(
            x=alt.X("xm:Q"),
            y=alt.Y("ym:Q"),
            shape=alt.Shape(
                "sign:N",
                scale=alt.Scale(
                    domain=[_MEANINGS.get(mark, mark) for mark in present],
                    range=[_STROKES[mark] for mark in present],
                ),
                legend=alt.Legend(
                    orient="bottom",
                    direction="horizontal",
                    title=None,
                    columns=alt.ExprRef("max(1, floor(width / 165))"),
                    symbolStrokeColor="#808080",
                    symbolFillColor="transparent",
                    symbolStrokeWidth=1.6,
                    symbolSize=80,
                    offset=8,
                    labelLimit=220,
                ),
            ),
            color=paint.words,
        )
    ]
