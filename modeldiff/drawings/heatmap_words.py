"""What stands on and around the heatmap's cells: numbers, names, marks and the colour scale.

These layers take no clicks (they have no tooltip), so a click on a number chooses its cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

from modeldiff.drawings.heatmap_frame import MARKS
from modeldiff.drawings.heatmap_grid import SCALE_HEIGHT, Grid
from modeldiff.drawings.metrics import Metric
from modeldiff.drawings.scale import Scale

if TYPE_CHECKING:
    import pandas as pd

GREY = "gray"
"""A name of Streamlit's theme, and a grey of CSS that reads on light and dark grounds elsewhere."""

_INK = "luminance(scale('color', {value})) > 0.18 ? '#16191c' : '#ffffff'"
_STROKES = {
    "not measured yet": "M-.1,-.1H.1V.1H-.1Z",
    "only in base": "M-.6,0H.6",
    "only in target": "M-.6,0H.6M0,-.6V.6",
    "other shape": "M-.6,-.22H.6M-.6,.22H.6M-.35,.6L.35,-.6",
    "unreadable": "M-.5,-.5L.5,.5M-.5,.5L.5,-.5",
    "infinite": "M0,0C-.3,-.55,-.85,-.5,-.85,0C-.85,.5,-.3,.55,0,0"
    "C.3,-.55,.85,-.5,.85,0C.85,.5,.3,.55,0,0Z",
    "no value": "M-.3,.6L.3,-.6",
    "tied": "M-.6,-.22H.6M-.6,.22H.6",
    "buffer": "M-.45,-.45H.45V.45H-.45Z",
}
_MEANINGS = {"no value": "nothing to measure", "infinite": "infinite: base is mostly zero"}
_SCALE_STEPS = 64
_SCALE_WIDTH = "min(width - 24, 420)"
_MOST_WORDS = 16
_MOST_NUMBERS = 900


@dataclass(frozen=True)
class Paint:
    """The colour of words that stand on the page's own ground."""

    grey: str

    @property
    def words(self) -> Any:
        return alt.value(self.grey)


def numbers(grid: Grid) -> list[alt.Chart]:
    """The numbers in the grid's cells, as large as the drawn width allows; none in a huge grid."""
    if grid.row_height < 13 or len(grid.layers) * len(grid.columns) > _MOST_NUMBERS:
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
            color=alt.value(alt.ExprRef(_INK.format(value="datum.value"))),
        )
    ]


def words(cells: pd.DataFrame, grid: Grid, paint: Paint) -> list[alt.Chart]:
    """Name and number on the broad bars outside the layers."""
    if not 0 < int((cells["region"] != "grid").sum()) <= _MOST_WORDS:
        return []
    bars = (
        alt.Chart()
        .transform_filter("datum.region != 'grid'")
        .transform_calculate(
            ym="(datum.y + datum.y2) / 2",
            words="datum.column + '\u2002' + datum.reading"
            " + (isValid(datum.value) && datum.mark ? ', ' + datum.mark : '')",
        )
    )
    look: dict[str, Any] = {
        "aria": False,
        "align": "left",
        "baseline": "middle",
        "dx": 8,
        "fontSize": 12,
        "limit": alt.ExprRef(f"(datum.x2 - datum.x) * width / {grid.width:.2f} - 26"),
    }
    at = {"x": alt.X("x:Q"), "y": alt.Y("ym:Q"), "text": alt.Text("words:N")}
    ink = alt.value(alt.ExprRef(_INK.format(value="datum.value")))
    return [
        bars.transform_filter("isValid(datum.value)").mark_text(**look).encode(**at, color=ink),
        bars.transform_filter("!isValid(datum.value)")
        .mark_text(**look)
        .encode(**at, color=paint.words),
    ]


def marks(cells: pd.DataFrame, paint: Paint) -> list[alt.Chart]:
    """A sign in each cell whose colour does not say all, with a legend of the signs that occur."""
    present = [mark for mark in MARKS if (cells["mark"] == mark).any()]
    if not present:
        return []
    meanings = "{" + ",".join(f"'{mark}':'{text}'" for mark, text in _MEANINGS.items()) + "}"
    return [
        alt.Chart()
        .transform_filter("datum.mark != ''")
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


def headings(grid: Grid, paint: Paint) -> list[alt.Chart]:
    """The columns' names, upright where there is room and rotated where not, and the sublayers'."""
    if not grid.columns:
        return []
    short: dict[str, str] = {}
    for group in grid.groups:
        short |= _short_names([one.name for one in grid.columns if group.x <= one.x < group.x2])
    names = [
        {
            "x": (one.x + one.x2) / 2,
            "wide": "\n".join(_lines(short[one.name])),
            "narrow": _clip(_abbreviated(short[one.name]), 14),
            "y": grid.header_bottom,
        }
        for one in grid.columns
    ]
    for name in names:
        # The last line stands on the same height for all.
        name["first_line"] = grid.header_bottom - 13 * str(name["wide"]).count("\n")
    groups = [
        {"x": one.x + 0.04, "x2": one.x2 - 0.04, "y": grid.header_top, "name": one.name}
        for one in grid.groups
        if one.name
    ]
    widest = max(len(line) for name in names for line in str(name["wide"]).split("\n"))
    upright = f"width / {grid.width:.2f} >= {5.6 * widest + 4:.0f}"
    text = alt.Chart({"values": names}).encode(x=alt.X("x:Q"), color=paint.words)
    titles = alt.Chart({"values": groups})
    return [
        text.mark_text(
            aria=False,
            align="center",
            baseline="bottom",
            lineBreak="\n",
            lineHeight=13,
            fontSize=alt.ExprRef(f"{upright} ? 12 : 0"),
        ).encode(y=alt.Y("first_line:Q"), text=alt.Text("wide:N")),
        text.mark_text(
            aria=False,
            align="left",
            baseline="middle",
            angle=270,
            fontSize=alt.ExprRef(f"{upright} ? 0 : 11"),
        ).encode(y=alt.Y("y:Q"), text=alt.Text("narrow:N")),
        titles.mark_rule(
            aria=False, strokeWidth=1, opacity=alt.ExprRef(f"{upright} ? 0.5 : 0")
        ).encode(x=alt.X("x:Q"), x2=alt.X2("x2:Q"), y=alt.Y("y:Q"), color=paint.words),
        titles.mark_text(
            aria=False,
            align="left",
            baseline="bottom",
            dy=-4,
            fontSize=alt.ExprRef(f"{upright} ? 12 : 0"),
            fontWeight=600,
        ).encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("name:N"), color=paint.words),
    ]


def legend(metric: Metric, scale: Scale, paint: Paint) -> list[alt.Chart]:
    """The colour scale over the picture, with floor and ceiling named on it."""
    top = SCALE_HEIGHT - 48.0
    steps = [
        {
            "value": (step + 0.5) / _SCALE_STEPS * scale.top,
            "from": step / _SCALE_STEPS,
            "to": (step + 1) / _SCALE_STEPS,
            "y": top,
            "y2": top + 9,
        }
        for step in range(_SCALE_STEPS)
    ]
    ticks = [
        {"at": tick.position, "y": top, "y2": top + 13, "text": tick.text} for tick in scale.ticks()
    ]
    title = f"{metric.label}{', %' if metric.unit else ''}"
    position = f"{_SCALE_WIDTH} * datum"
    strip = alt.Chart({"values": steps}).encode(
        x=alt.value(alt.ExprRef(f"{position}.from")),
        # A hair over the next one, so that no seam shines through.
        x2=alt.value(alt.ExprRef(f"{position}.to + 0.5")),
        y=alt.Y("y:Q"),
        y2=alt.Y2("y2:Q"),
        color=alt.Color("value:Q", legend=None),
    )
    at = alt.value(alt.ExprRef(f"{position}.at"))
    marked = alt.Chart({"values": ticks}).encode(x=at, color=paint.words)
    return [
        alt.Chart({"values": [{"y": top, "text": title}]})
        .mark_text(aria=False, align="left", baseline="bottom", dy=-4, fontSize=12, fontWeight=600)
        .encode(x=alt.value(0), y=alt.Y("y:Q"), text=alt.Text("text:N"), color=paint.words),
        strip.mark_rect(aria=False, strokeWidth=0, opacity=1),
        marked.mark_rule(aria=False).encode(y=alt.Y("y:Q"), y2=alt.Y2("y2:Q")),
        marked.mark_text(
            aria=False,
            align=alt.ExprRef("datum.at == 0 ? 'left' : datum.at == 1 ? 'right' : 'center'"),
            baseline="line-top",
            lineBreak="\n",
            dy=2,
            fontSize=11,
        ).encode(y=alt.Y("y2:Q"), text=alt.Text("text:N")),
    ]


def _short_names(columns: Sequence[str]) -> dict[str, str]:
    """The last parts of each name that tell it from the others of its group."""
    # A parameter's own name says nothing without the component that it belongs to.
    depth = {
        name: 2 if name.endswith(".bias") or name.rpartition(".")[0] in columns else 1
        for name in columns
    }
    while True:
        short = {name: ".".join(name.split(".")[-depth[name] :]) for name in columns}
        count = Counter(short.values())
        unclear = [name for name in columns if count[short[name]] > 1 and short[name] != name]
        if not unclear:
            return short
        for name in unclear:
            depth[name] += 1


def _abbreviated(name: str) -> str:
    return name.replace("layernorm", "norm").replace("attention", "attn")


def _lines(name: str) -> list[str]:
    """The name in two lines where it is long, broken after the underscore nearest its middle."""
    if len(name) <= 10:
        return [name]
    breaks = [at + 1 for at, letter in enumerate(name) if letter in "_." and 0 < at < len(name) - 1]
    if not breaks:
        return [_clip(name, 18)]
    at = min(breaks, key=lambda spot: abs(spot - len(name) / 2))
    return [_clip(name[:at], 18), _clip(name[at:], 18)]


def _clip(name: str, most: int) -> str:
    """The name with its middle left out where it is longer than ``most`` letters."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[-(most // 2) :]}"
