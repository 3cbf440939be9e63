"""The names beside and over the heatmap's rows and columns, as short as tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from modeldiff.drawings.heatmap.geometry import Axis, Grid
from modeldiff.drawings.style.ink import Paint


def headings(grid: Grid, tops: Mapping[str, str], paint: Paint) -> list[alt.Chart]:
    """What stands over the columns: layers' or experts' numbers, or components' names, upright
    where there is room and rotated where not, with their sublayers. ``tops`` are the tops of the
    columns' own scales, by column; empty where they have none."""
    if not grid.columns.lines:
        return []
    if grid.numbered:
        return _numbers_over(grid, paint)
    short = short_names(grid.columns)
    names: list[dict[str, Any]] = [
        {
            "x": (one.start + one.end) / 2,
            "wide": "\n".join(_lines(short[one.name])),
            "narrow": clip(_abbreviated(short[one.name]), 14),
            "y": grid.header_bottom - (13 if tops else 0),
            "top": tops.get(one.column, ""),
            "y_top": grid.header_bottom,
        }
        for one in grid.columns.lines
    ]
    for name in names:
        # The last line stands on the same height for all.
        name["first_line"] = name["y"] - 13 * str(name["wide"]).count("\n")
    groups = [
        {"x": one.start + 0.04, "x2": one.end - 0.04, "y": grid.header_top, "name": one.name}
        for one in grid.columns.groups
        if one.name
    ]
    widest = max(len(line) for name in names for line in str(name["wide"]).split("\n"))
    column = f"width / {grid.width:.2f}"
    upright = f"{column} >= {4.7 * widest + 3:.0f}"
    size = f"{column} >= {5.6 * widest + 4:.0f} ? 12 : {upright} ? 10 : 0"
    text = alt.Chart({"values": names}).encode(x=alt.X("x:Q"), color=paint.words)
    titles = alt.Chart({"values": groups})
    return [
        text.mark_text(
            aria=False,
            align="center",
            baseline="bottom",
            lineBreak="\n",
            lineHeight=13,
            fontSize=alt.ExprRef(size),
        ).encode(y=alt.Y("first_line:Q"), text=alt.Text("wide:N")),
        text.mark_text(
            aria=False,
            align="left",
            baseline="middle",
            angle=270,
            fontSize=alt.ExprRef(f"{upright} ? 0 : 11"),
        ).encode(y=alt.Y("y:Q"), text=alt.Text("narrow:N")),
        text.mark_text(
            aria=False, align="center", baseline="bottom", fontSize=alt.ExprRef(small_numbers(grid))
        ).encode(y=alt.Y("y_top:Q"), text=alt.Text("top:N")),
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


def row_labels(grid: Grid, tops: Mapping[str, str]) -> list[str]:
    """What stands beside the rows, in their order."""
    if not grid.across:
        return [one.name for one in grid.rows.lines]
    short = short_names(grid.rows)
    return [
        " ".join(filter(None, (clip(_abbreviated(short[one.name]), 24), tops.get(one.column, ""))))
        if not one.name.isdigit()
        else one.name
        for one in grid.rows.lines
    ]


def _numbers_of(grid: Grid) -> str:
    experts = f"expert of {grid.experts}"
    if grid.across:
        layer = "layer of base over target's" if _in_two_lines(grid) else "layer"
        return f"{layer}, by {experts}" if grid.experts else layer
    return experts


def _in_two_lines(grid: Grid) -> bool:
    return any("\n" in one.name for one in grid.columns.lines)


def _numbers_over(grid: Grid, paint: Paint) -> list[alt.Chart]:
    lines = grid.columns.lines
    column = f"width / {grid.width:.2f}"
    every = f"({column} >= 20 ? 1 : {column} >= 10 ? 2 : {column} >= 4.2 ? 5 : 10)"
    numbers = [
        {
            "x": (one.start + one.end) / 2,
            "n": n,
            "name": one.name,
            # The last line stands on the same height for all.
            "y": grid.header_bottom - (13 if "\n" in one.name else 0),
        }
        for n, one in enumerate(lines)
    ]
    above = grid.header_bottom - (28 if _in_two_lines(grid) else 15)
    title = {"x": 0, "y": above, "name": _numbers_of(grid)}
    return [
        alt.Chart({"values": numbers})
        .mark_text(
            aria=False,
            baseline="bottom",
            lineBreak="\n",
            lineHeight=13,
            fontSize=alt.ExprRef(f"datum.n % {every} == 0 ? 11 : 0"),
        )
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("name:N"), color=paint.words),
        alt.Chart({"values": [title]})
        .mark_text(aria=False, align="left", baseline="bottom", fontSize=11)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("name:N"), color=paint.words),
    ]


def small_numbers(grid: Grid) -> str:
    """The size of a small number in a column; 0 where a column has no room for it."""
    column = f"width / {grid.width:.2f}"
    return f"{column} >= 34 ? 11 : {column} >= 25 ? 9 : 0"


def short_names(axis: Axis) -> dict[str, str]:
    """The lines' names, as short as tells them from the others of their group."""
    short: dict[str, str] = {}
    for group in axis.groups:
        short |= _short_names(
            [one.name for one in axis.lines if group.start <= one.start < group.end]
        )
    return short


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
    """The name in up to three lines, broken after underscores and dots, as narrow as that goes."""
    words = re.findall(r"[^_.]*[_.]+|[^_.]+", name)
    for most in range(10, 18):
        lines = [""]
        for word in words:
            if lines[-1] and len(lines[-1]) + len(word) > most:
                lines.append("")
            lines[-1] += word
        if len(lines) <= 3 and max(map(len, lines)) <= most:
            return lines
    return [clip(name, 18)] if len(words) < 2 else [clip(line, 18) for line in lines[:3]]


def clip(name: str, most: int) -> str:
    """The name with its middle left out where it is longer than ``most`` letters."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[-(most // 2) :]}"
