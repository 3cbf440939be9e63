"""Where everything of the heatmap stands, in pixels.

With layers across, data runs from left to right: what stands before the layers, the layers, what
stands after them; with layers down, from top to bottom. Beside the cells are the margins: what each
row and each column comes to.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from modeldiff.drawings.heatmap.lines import ComponentLine, LayerBlock, Lines
from modeldiff.drawings.heatmap.options import NORM_ROW, HeatmapSize
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.processes.late_dataclass import dataclass

Extent = tuple[float, float]
_MOST_AT_A_SIDE = 4
"""So many tensors outside the layers are columns of the grid; more are bars over and under it."""
_BARS_A_ROW = 4
_MANY_ROWS = 40
_LEAST_OF_MANY = 7.0
_SIDE_GAP, _COLUMN_GAP = 8.0, 2.0
_GROUP_GAP, _NORM_GAP = 12.0, 4.0
_GROUP_GAP_DOWN = 7.0


class CellBox(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class HeatmapLayout:
    """The places. ``layers`` and ``components`` are spans along their own direction, in the order
    of the lines; ``boxes`` are the cells' and the margins' by their readings' positions, and
    ``blocks`` those of layers that one side alone has. ``grid`` holds all layers; its header ends
    where it begins. ``beside`` and ``below`` are where the margins are, None without. ``at_sides``:
    what stands outside the layers are columns of the grid. ``bottom`` is where all cells end."""

    layers: tuple[Extent, ...]
    components: tuple[Extent, ...]
    boxes: dict[int, CellBox]
    blocks: tuple[CellBox, ...]
    grid: CellBox
    header: float
    beside: Extent | None
    below: Extent | None
    at_sides: bool
    right: float
    bottom: float


def place_lines(
    lines: Lines, size: HeatmapSize, *, top: float, header: float, labels: float
) -> HeatmapLayout:
    """The places of these lines, of which the header begins at ``top`` pixels and is ``header``
    high, with ``labels`` pixels for what is written beside the rows."""
    if size.across:
        return _across(lines, size, top, header, labels)
    return _down(lines, size, top, header, labels)


def margin_width(size: HeatmapSize) -> float:
    """The width of the margin beside the rows; 0 without."""
    return round(size.font * 3.75) if size.margins else 0.0


def margin_height(size: HeatmapSize) -> float:
    """The height of the margin below the columns; 0 without."""
    return size.font * 1.3 + 8 if size.margins else 0.0


def _across(
    lines: Lines, size: HeatmapSize, top: float, header: float, labels: float
) -> HeatmapLayout:
    boxes: dict[int, CellBox] = {}
    each = round(size.font * 3.05)
    most = max(len(lines.before), len(lines.after))
    at_sides = bool(lines.layers) and most <= _MOST_AT_A_SIDE
    left = labels + (_side_width(lines.before, each) if at_sides else 0.0)
    after = _side_width(lines.after, each) if at_sides else 0.0
    beside = margin_width(size) + 10 if size.margins else 0.0
    room = size.width - left - after - beside
    column = min(room / max(len(lines.layers), 1), size.widest)
    layers = tuple(
        (left + column * at, left + column * (at + 1)) for at in range(len(lines.layers))
    )
    end = layers[-1][1] if layers else size.width
    y = top
    if not at_sides:
        y = _bars(lines.before, CellBox(labels, y, end - labels, 0), size, boxes)
    y += header if lines.layers else 0.0
    components, bottom = _rows(lines.components, size, y)
    grid = CellBox(left, y, end - left, bottom - y)
    if at_sides:
        _columns(lines.before, labels, each, grid, boxes)
        _columns(lines.after, end + _SIDE_GAP, each, grid, boxes)
    margin = (end + after + 10, end + after + beside) if size.margins and layers else None
    below = (bottom + 8, bottom + 8 + margin_height(size)) if size.margins and layers else None
    _cells(lines, layers, components, (margin, below), boxes, across=True)
    right = end + after + beside
    bottom = below[1] if below is not None else bottom
    if not at_sides:
        bottom = _bars(lines.after, CellBox(labels, bottom + 8, end - labels, 0), size, boxes)
    blocks = tuple(CellBox(x, grid.y, x2 - x, grid.height) for x, x2 in _block_spans(lines, layers))
    return HeatmapLayout(
        layers, components, boxes, blocks, grid, header, margin, below, at_sides, right, bottom
    )


def _down(
    lines: Lines, size: HeatmapSize, top: float, header: float, labels: float
) -> HeatmapLayout:
    boxes: dict[int, CellBox] = {}
    beside = margin_width(size) + 10 if size.margins and lines.layers else 0.0
    gaps = [gap if gap == _GROUP_GAP else 0.0 for gap in _group_gaps(lines.components)]
    room = size.width - labels - beside - _GROUP_GAP_DOWN * sum(gap > 0 for gap in gaps)
    column = min(room / max(len(lines.components), 1), size.widest)
    components, x = [], labels
    for gap in gaps:
        x += _GROUP_GAP_DOWN if gap else 0.0
        components.append((x, x + column))
        x += column
    end = x if components else size.width
    y = _bars(
        lines.before,
        CellBox(labels, top + (0 if lines.layers else 4), end - labels, 0),
        size,
        boxes,
    )
    y += header if lines.layers else 0.0
    least = size.least_row if len(lines.layers) <= 1.5 * _MANY_ROWS else size.least_row / 1.6
    layers, at = _layer_rows(lines, y, max(least, size.font * 0.9), 2.2 * size.font)
    grid = CellBox(labels, y, end - labels, at - y)
    margin = (end + 10, end + beside) if beside else None
    below = (at + 8, at + 8 + margin_height(size)) if beside else None
    _cells(lines, layers, components, (margin, below), boxes, across=False)
    bottom = below[1] if below is not None else at
    bottom = _bars(lines.after, CellBox(labels, bottom + 6, end - labels, 0), size, boxes)
    blocks = tuple(CellBox(grid.x, y, grid.width, y2 - y) for y, y2 in _block_spans(lines, layers))
    return HeatmapLayout(
        layers,
        tuple(components),
        boxes,
        blocks,
        grid,
        header,
        margin,
        below,
        False,
        end + beside,
        bottom,
    )


def _side_width(outside: Sequence[int], each: float) -> float:
    return len(outside) * (each + _COLUMN_GAP) - _COLUMN_GAP + _SIDE_GAP if outside else 0.0


def _columns(
    outside: Sequence[int], x: float, each: float, grid: CellBox, boxes: dict[int, CellBox]
) -> None:
    for number, at in enumerate(outside):
        boxes[at] = CellBox(x + number * (each + _COLUMN_GAP), grid.y, each, grid.height)


def _bars(
    outside: Sequence[int], room: CellBox, size: HeatmapSize, boxes: dict[int, CellBox]
) -> float:
    """Lay what stands outside the layers in rows over the whole width; return where they end."""
    lines = -(-len(outside) // _BARS_A_ROW)
    # A tower of hundreds of tensors outside the layers gets small bars rather than a long page.
    a_row = _BARS_A_ROW if lines <= 4 else -(-len(outside) // 4)
    high, y = round(size.font * 1.9), room.y
    for start in range(0, len(outside), a_row):
        line = outside[start : start + a_row]
        each = (room.width + _COLUMN_GAP) / len(line)
        for number, at in enumerate(line):
            boxes[at] = CellBox(room.x + number * each, y, each - _COLUMN_GAP, high - _COLUMN_GAP)
        y += high
    return y + 6 if outside else y


def _group_gaps(components: Sequence[ComponentLine]) -> list[float]:
    """The gap before each component."""
    gaps = [0.0] if components else []
    for above, here in pairwise(components):
        between = _NORM_GAP if above.small and not here.small else 0.0
        gaps.append(_GROUP_GAP if above.group != here.group else between)
    return gaps


def _rows(
    components: Sequence[ComponentLine], size: HeatmapSize, top: float
) -> tuple[tuple[Extent, ...], float]:
    """The components' rows from ``top`` on, and where they end."""
    gaps = _group_gaps(components)
    units = sum(NORM_ROW if line.small else 1.0 for line in components)
    least = size.least_row if len(components) <= _MANY_ROWS else _LEAST_OF_MANY
    row = min(max((size.rows - sum(gaps)) / max(units, 1.0), least), size.most_row)
    # On whole pixels, so that lines between rows are even.
    row = round(row)
    low = round(min(row, max(NORM_ROW * row, size.font * 1.3)))
    spans, y = [], top
    for line, gap in zip(components, gaps, strict=True):
        y += gap
        high = low if line.small else row
        spans.append((y, y + high))
        y += high
    return tuple(spans), y


def _layer_rows(
    lines: Lines, top: float, row: float, block: float
) -> tuple[tuple[Extent, ...], float]:
    """The layers' rows from ``top`` on, and where they end. All layers of a block are one row."""
    rows: list[Extent] = []
    blocks = {line.layer: line for line in lines.blocks}
    y, inside = top, 0
    for line in lines.layers:
        if inside:
            inside -= 1
            rows.append(rows[-1])
            continue
        here = blocks.get(line.layer)
        high = row if here is None else block
        inside = 0 if here is None else here.count - 1
        rows.append((y, y + high))
        y += high
    return tuple(rows), y


def _block_spans(lines: Lines, layers: Sequence[Extent]) -> list[Extent]:
    at = {line.layer: number for number, line in enumerate(lines.layers)}
    return [_whole(layers, at[block.layer], block) for block in lines.blocks]


def _whole(layers: Sequence[Extent], first: int, block: LayerBlock) -> Extent:
    return layers[first][0], layers[first + block.count - 1][1]


def _cells(
    lines: Lines,
    layers: Sequence[Extent],
    components: Sequence[Extent],
    margins: tuple[Extent | None, Extent | None],
    boxes: dict[int, CellBox],
    *,
    across: bool,
) -> None:
    """Place the cells of the grid and of its margins, which are ``beside`` and ``below``."""
    beside, below = margins
    of_layers, of_components = (below, beside) if across else (beside, below)
    layer_at = {line.layer: span for line, span in zip(lines.layers, layers, strict=True)}
    component_at = {
        (line.column, line.expert): span
        for line, span in zip(lines.components, components, strict=True)
    }
    empty = {line.layer for line in lines.layers if not line.has_cells}
    for (layer, key), number in lines.cells.items():
        if layer in empty:
            continue
        along = of_components if layer is None else layer_at[layer]
        aside = of_layers if key is None else component_at[key]
        if along is None or aside is None:
            continue
        (x, x2), (y, y2) = (along, aside) if across else (aside, along)
        boxes[number] = CellBox(x, y, x2 - x, y2 - y)


def text_room(names: Sequence[str], font: float) -> float:
    """The width that the widest of these needs."""
    return max((text_width(name, font) for name in names), default=0.0)
