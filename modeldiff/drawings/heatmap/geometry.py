"""Where each of the heatmap's cells stands.

Across, one unit is one cell of the grid. Down, one unit is one pixel at the chart's own height: the
scale, the tensors before the layers as broad bars, names, the grid with its margins (a bar a row at
the right, a bar a column below), the tensors after the layers. Rows are layers, the first on top
(it is read as a page is, and as the table beside it), and columns components, or, with layers
across, the other way round. A narrow gap parts sublayers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

_BAR = 26
_BARS_A_ROW = 4
_BETWEEN = 10
_HEADER, _NUMBERS = 88, 32
"""Pixels for names, and for numbers, over the grid."""
_LINE = 13.0
_MARGIN_HEIGHT = 44
_Column = tuple[str, int]
"""A column and its expert, -1 where experts are folded."""
_Box = tuple[float, float, float, float]
"""x, x2, y, y2."""
_Span = tuple[float, float]


@dataclass(frozen=True)
class Heading:
    """The name of a line of cells (a layer's number, a column's name) or of a sublayer's lines,
    over the units or pixels ``start`` to ``end``. ``column`` is the frame's, or empty."""

    name: str
    start: float
    end: float
    column: str = ""


@dataclass(frozen=True)
class Axis:
    """The lines of cells in one direction: the headings, those of their groups, and the end."""

    lines: tuple[Heading, ...]
    groups: tuple[Heading, ...]
    end: float

    def span(self, number: int) -> _Span:
        """Where a line begins and ends."""
        return self.lines[number].start, self.lines[number].end


@dataclass(frozen=True)
class Grid:
    """Everything that stands still: sizes, headings, and where cells go.

    ``cells`` has the frame's index and columns ``x``, ``x2``, ``y`` and ``y2``. ``columns`` are in
    units across, ``rows`` in pixels down; ``across`` says that the columns are layers.
    ``margin_x`` is where the margin at the right begins, ``margin_y`` where the one below does;
    None where there is no grid. ``line_below_names``: pixels for the columns' own scales.
    """

    width: float
    height: float
    columns: Axis
    rows: Axis
    across: bool
    row_height: float
    margin_x: float | None
    margin_y: float | None
    line_below_names: float
    cells: pd.DataFrame

    @property
    def numbered(self) -> bool:
        """Whether columns are layers or experts, which have numbers and not names."""
        return _is_numbered(self.columns)

    @property
    def experts(self) -> str:
        """The column whose experts are shown one by one; empty where none is."""
        lines = (self.rows if self.across else self.columns).lines
        return lines[0].column if lines and lines[0].name.isdigit() else ""

    @property
    def header_bottom(self) -> float:
        """Where the columns' names end."""
        return (self.rows.lines[0].start if self.rows.lines else 0.0) - 4

    @property
    def header_top(self) -> float:
        """Where the groups' names stand."""
        return self.header_bottom - 44 - self.line_below_names


def place_cells(
    frame: pd.DataFrame, metric: Metric, options: HeatmapOptions, *, top: float
) -> Grid:
    """The grid of a frame of ``heatmap_frame``, below ``top`` pixels for the scale."""
    import pandas as pd

    inside = frame["region"] == "grid"
    layers = sorted(int(layer) for layer in frame.loc[inside, "layer"].unique())
    columns = _in_order(frame, metric, by_change=options.by_change)
    # Enough for a number while there are few rows; a page or so high while there are many.
    rows = len(columns) if options.across else len(layers)
    row_height = float(min(28, max(7, 760 // max(rows, 1))))
    names = frame.loc[inside].groupby("layer")["layer_lines" if options.across else "layer_label"]
    layer_axis = _layer_axis([str(name) for name in names.first()], options, row_height)
    component_axis = _component_axis(columns, options, row_height)
    across, down = (layer_axis, component_axis) if options.across else (component_axis, layer_axis)
    width = total = across.end or 1.0
    spots: dict[object, _Box] = {}
    top = _bars(_indices(frame, "above"), top, width, spots)
    margin_x = margin_y = None
    line = _LINE if options.scale == "component" else 0.0
    if layers:
        second = _LINE if any("\n" in one.name for one in across.lines) else 0.0
        top += _NUMBERS + second if _is_numbered(across) else _HEADER + line
        down = _moved(down, top)
        margin_x, total = width * 1.015, width * 1.14
        margin_y = down.end + 4
        top = margin_y + _MARGIN_HEIGHT + _BETWEEN
        beside, under = (margin_x, total), (margin_y, margin_y + _MARGIN_HEIGHT)
        spots |= _in_grid(frame, layers, columns, (across, beside), (down, under), options)
    top = _bars(_indices(frame, "below"), top, width, spots)
    cells = pd.DataFrame(
        [spots[index] for index in frame.index],
        index=frame.index,
        columns=["x", "x2", "y", "y2"],
        dtype="float64",
    )
    return Grid(
        total, top, across, down, options.across, row_height, margin_x, margin_y, line, cells
    )


def _indices(frame: pd.DataFrame, region: str) -> list[object]:
    return list(frame.index[frame["region"] == region])


def _layer_axis(names: Sequence[str], options: HeatmapOptions, row_height: float) -> Axis:
    size = 1.0 if options.across else row_height
    return _axis([Heading(name, 0, 1) for name in names], [""] * len(names), size, 0)


def _component_axis(
    columns: Mapping[_Column, str], options: HeatmapOptions, row_height: float
) -> Axis:
    return _axis(
        [Heading(_line_name(key), 0, 1, key[0]) for key in columns],
        ["" if options.by_change else group for group in columns.values()],
        row_height if options.across else 1.0,
        6.0 if options.across else 0.2,
    )


def _in_grid(
    frame: pd.DataFrame,
    layers: Sequence[int],
    columns: Mapping[_Column, str],
    across: tuple[Axis, _Span],
    down: tuple[Axis, _Span],
    options: HeatmapOptions,
) -> dict[object, _Box]:
    """Where the cells of the grid and of its margins go; ``across`` and ``down`` are the axis of
    each direction and where the margin beside or below it is."""
    (layer_axis, layer_margin), (column_axis, column_margin) = (
        (across, down) if options.across else (down, across)
    )
    layer_at = {layer: number for number, layer in enumerate(layers)}
    column_at = {key: number for number, key in enumerate(columns)}
    spots: dict[object, _Box] = {}
    for index, region, layer, column, expert in zip(
        frame.index, frame["region"], frame["layer"], frame["column"], frame["expert"], strict=True
    ):
        if region in ("above", "below"):
            continue
        of_layer, of_column = layer_margin, column_margin
        if region != "column":
            of_layer = layer_axis.span(layer_at[int(layer)])
        if region != "layer":
            of_column = column_axis.span(column_at[_key(column, expert)])
        x, y = (of_layer, of_column) if options.across else (of_column, of_layer)
        spots[index] = (*x, *y)
    return spots


def _in_order(frame: pd.DataFrame, metric: Metric, *, by_change: bool) -> dict[_Column, str]:
    """The grid's columns with their groups, in data order or the most changed first."""
    margin = frame[frame["region"] == "column"].sort_values(["rank", "expert"])
    columns = [
        (_key(column, expert), str(group), float(value))
        for column, expert, group, value in zip(
            margin["column"], margin["expert"], margin["group"], margin["value"], strict=True
        )
    ]
    if by_change:
        sign = -1.0 if metric.rises else 1.0
        # What has no value (NaN) goes last; equals stay in data order.
        columns.sort(key=lambda one: (one[2] != one[2], sign * one[2] if one[2] == one[2] else 0))
    return {key: group for key, group, _ in columns}


def _key(column: object, expert: object) -> _Column:
    import pandas as pd

    return str(column), -1 if pd.isna(expert) else int(expert)  # type: ignore[call-overload]


def _line_name(key: _Column) -> str:
    column, expert = key
    return column if expert < 0 else str(expert)


def _axis(lines: Sequence[Heading], groups: Sequence[str], size: float, gap: float) -> Axis:
    """Lines of this size side by side, with a gap between groups."""
    placed: list[Heading] = []
    grouped: list[Heading] = []
    at = 0.0
    for line, group in zip(lines, groups, strict=True):
        if grouped and grouped[-1].name == group:
            grouped[-1] = Heading(group, grouped[-1].start, at + size)
        else:
            at += gap if grouped else 0.0
            grouped.append(Heading(group, at, at + size))
        placed.append(Heading(line.name, at, at + size, line.column))
        at += size
    return Axis(tuple(placed), tuple(grouped), at)


def _is_numbered(axis: Axis) -> bool:
    return all(line.name.isdigit() or not line.column for line in axis.lines)


def _moved(axis: Axis, by: float) -> Axis:
    def moved(headings: tuple[Heading, ...]) -> tuple[Heading, ...]:
        return tuple(Heading(h.name, h.start + by, h.end + by, h.column) for h in headings)

    return Axis(moved(axis.lines), moved(axis.groups), axis.end + by)


def _bars(indices: list[object], top: float, width: float, spots: dict[object, _Box]) -> float:
    """Lay the cells outside the layers in rows over the whole width; return where they end."""
    lines = -(-len(indices) // _BARS_A_ROW)
    # A tower of hundreds of tensors outside the layers gets small bars rather than a long page.
    a_row = _BARS_A_ROW if lines <= 4 else -(-len(indices) // 4)
    for start in range(0, len(indices), a_row):
        line = indices[start : start + a_row]
        for number, index in enumerate(line):
            spots[index] = (
                width * number / len(line),
                width * (number + 1) / len(line),
                top,
                top + _BAR,
            )
        top += _BAR
    return top + _BETWEEN if indices else top
