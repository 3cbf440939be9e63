"""Where each of the heatmap's cells stands.

Across, one unit is one column, with a narrow gap between sublayers. Down, one unit is one pixel at
the chart's own height: the scale, the tensors before the layers as broad bars, the columns' names,
one row a layer with the first on top (it is read as a page is, and as the table beside it), the
tensors after the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SCALE_HEIGHT = 78
"""Pixels at the top for the colour scale."""

_GAP_BETWEEN_GROUPS = 0.2
_BAR = 26
_HEADER = 80
_BARS_A_ROW = 4
_BETWEEN = 10


@dataclass(frozen=True)
class Heading:
    """A column's or a group's name over the units ``x`` to ``x2``."""

    name: str
    x: float
    x2: float


@dataclass(frozen=True)
class Grid:
    """Everything that stands still: sizes, headings, and where cells go.

    ``cells`` has the frame's index and columns ``x``, ``x2``, ``y`` and ``y2``. ``layers`` are the
    layer numbers from the top, ``layer_top`` and ``row_height`` say where they stand.
    """

    width: float
    height: float
    columns: tuple[Heading, ...]
    groups: tuple[Heading, ...]
    layers: tuple[int, ...]
    layer_top: float
    row_height: float
    cells: pd.DataFrame

    @property
    def header_bottom(self) -> float:
        """Where the columns' names end."""
        return self.layer_top - 4

    @property
    def header_top(self) -> float:
        """Where the groups' names stand."""
        return self.layer_top - 40


def place_cells(frame: pd.DataFrame) -> Grid:
    """The grid of a frame of ``heatmap_frame``."""
    import pandas as pd

    inside = frame[frame["region"] == "grid"]
    layers = tuple(sorted(int(layer) for layer in inside["layer"].unique()))
    columns, groups, width = _across(inside)
    # Enough for a number while there are few layers; a page or so high while there are many.
    row_height = float(min(28, max(7, 760 // max(len(layers), 1))))
    spots: dict[object, tuple[float, float, float, float]] = {}
    top = float(SCALE_HEIGHT)
    above = frame.index[frame["region"] == "above"]
    top = _bars(list(above), top, width, spots)
    layer_top = top + (_HEADER if len(inside) else 0)
    column_at = {heading.name: heading for heading in columns}
    row_of = {layer: row for row, layer in enumerate(layers)}
    for index, layer, column in zip(inside.index, inside["layer"], inside["column"], strict=True):
        heading = column_at[column]
        y = layer_top + row_of[int(layer)] * row_height
        spots[index] = (heading.x, heading.x2, y, y + row_height)
    top = layer_top + len(layers) * row_height + _BETWEEN
    top = _bars(list(frame.index[frame["region"] == "below"]), top, width, spots)
    cells = pd.DataFrame(
        [spots[index] for index in frame.index],
        index=frame.index,
        columns=["x", "x2", "y", "y2"],
        dtype="float64",
    )
    return Grid(width, top, columns, groups, layers, layer_top, row_height, cells)


def _across(inside: pd.DataFrame) -> tuple[tuple[Heading, ...], tuple[Heading, ...], float]:
    columns: list[Heading] = []
    groups: list[Heading] = []
    at = 0.0
    ordered = inside.drop_duplicates("column").sort_values("rank")
    for column, group in zip(ordered["column"], ordered["group"], strict=True):
        if groups and groups[-1].name == group:
            groups[-1] = Heading(group, groups[-1].x, at + 1)
        else:
            at += _GAP_BETWEEN_GROUPS if groups else 0.0
            groups.append(Heading(group, at, at + 1))
        columns.append(Heading(column, at, at + 1))
        at += 1
    return tuple(columns), tuple(groups), at or 1.0


def _bars(
    indices: list[object],
    top: float,
    width: float,
    spots: dict[object, tuple[float, float, float, float]],
) -> float:
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
