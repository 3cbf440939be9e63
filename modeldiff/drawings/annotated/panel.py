"""A sublayer's boxes and lines, along the data's way and across it.

The engine of the other drawings arranges rows of boxes upward; here its rows are columns, and what
it leaves free across is filled, so that a box is as large as its neighbours let it be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from modeldiff.drawings.annotated.tiles import Tile
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.block import Block, Point, Polyline
from modeldiff.drawings.diagram.layout.edge_routing import arrange
from modeldiff.processes.late_dataclass import dataclass

COLUMN_GAP = 13.0
_APART, _FROM_LINE = 10.0, 9.0
_GROWS = ("upright", "bar", "heads", "stack", "flat")


@dataclass(frozen=True)
class Placed:
    """A tile from ``start`` to ``end`` along the data's way, from ``low`` to ``high`` across it."""

    tile: Tile
    start: float
    end: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """A sublayer, ``length`` along and ``breadth`` across. Points are (along, across).

    ``entries`` lead from where data comes in to a box, ``exits`` from a box to the end.
    """

    length: float
    breadth: float
    boxes: tuple[Placed, ...]
    lines: tuple[Polyline, ...]
    entries: tuple[Polyline, ...]
    exits: tuple[Polyline, ...]

    def box_at(self, point: Point) -> Placed | None:
        """The box at whose rim a line ends or begins."""
        along, across = point
        return next(
            (
                box
                for box in self.boxes
                if box.start - 1 <= along <= box.end + 1 and box.low - 1 <= across <= box.high + 1
            ),
            None,
        )


def arrange_panel(rows: Sequence[Sequence[Tile]], *, across: bool, room: float) -> Panel:
    """The panel of rows of tiles in the order of the data. ``room`` is the most that a row may take
    across, in pixels; a wider one is broken. A row that cannot be broken may still be wider."""
    tiles = {tile.node.id: tile for row in rows for tile in row}
    cards = tuple(tuple(tile.card(across=across) for tile in row) for row in rows)
    block = _arranged(cards, room)
    # Lines that pass a row take room in it, too: then more rows are broken.
    narrower = room
    while block.width > room and narrower > room / 4:
        narrower *= 0.8
        block = _arranged(cards, narrower)
    boxes = tuple(
        Placed(
            tiles[spot.card.node.id],
            spot.u,
            spot.u + spot.height,
            spot.x - spot.width / 2,
            spot.x + spot.width / 2,
        )
        for spot in block.spots
    )
    lines, entries, exits = (
        tuple(tuple((along, x) for x, along in line) for line in some)
        for some in (block.lines, block.entries, block.exits)
    )
    return _trimmed(Panel(block.height, block.width, boxes, lines, entries, exits))


@lru_cache(maxsize=512)
def _arranged(rows: tuple[tuple[Card, ...], ...], room: float) -> Block:
    """The same boxes are asked for in every layer that is played, at several widths of a page."""
    return arrange(rows, room, gap=COLUMN_GAP)


def _trimmed(panel: Panel) -> Panel:
    """The panel without room at its ends, where one box alone takes what comes in or gives what
    goes out: their lines are led past it."""
    into = [panel.box_at(line[-1]) for line in panel.entries]
    out = [panel.box_at(line[0]) for line in panel.exits]
    alone = [box is not None and box.tile.form in _GROWS for box in (*into, *out)]
    first = min((box.start for box in panel.boxes), default=0.0)
    first = first if len(into) == 1 and alone[0] else 0.0
    last = max((box.end for box in panel.boxes), default=0.0)
    length = last if len(out) == 1 and alone[-1] else panel.length

    def moved(lines: tuple[Polyline, ...]) -> tuple[Polyline, ...]:
        return tuple(tuple((along - first, across) for along, across in line) for line in lines)

    return Panel(
        length - first,
        panel.breadth,
        tuple(replace(box, start=box.start - first, end=box.end - first) for box in panel.boxes),
        moved(panel.lines),
        moved(panel.entries),
        moved(panel.exits),
    )


def stretched(panel: Panel, breadth: float) -> Panel:
    """The panel over ``breadth`` pixels across, each box that may grow as large as it can be."""
    by = breadth / panel.breadth if panel.breadth else 1.0

    def moved(lines: Iterable[Polyline]) -> tuple[Polyline, ...]:
        return tuple(tuple((along, across * by) for along, across in line) for line in lines)

    boxes = []
    for box in panel.boxes:
        middle, half = (box.low + box.high) / 2 * by, (box.high - box.low) / 2
        if box.tile.form == "operation" and len(box.tile.node.inputs) > 1:
            half *= by
        boxes.append(replace(box, low=middle - half, high=middle + half))
    wide = Panel(
        panel.length,
        breadth,
        tuple(boxes),
        moved(panel.lines),
        moved(panel.entries),
        moved(panel.exits),
    )
    return replace(wide, boxes=tuple(_grown(box, wide) for box in boxes))


def _grown(box: Placed, panel: Panel) -> Placed:
    """The box, as far across as nothing else stands or runs beside it."""
    if box.tile.form not in _GROWS:
        return box
    low, high = 0.0, panel.breadth
    for other in panel.boxes:
        if other is box or other.end <= box.start + 1 or other.start >= box.end - 1:
            continue
        grows = other.tile.form in _GROWS
        if other.low >= box.high:
            free = (other.low + box.high - _APART) / 2 if grows else other.low - _APART
            high = min(high, free)
        elif other.high <= box.low:
            free = (other.high + box.low + _APART) / 2 if grows else other.high + _APART
            low = max(low, free)
    for along, across in _running(panel, box):
        del along
        if across >= box.high:
            high = min(high, across - _FROM_LINE)
        elif across <= box.low:
            low = max(low, across + _FROM_LINE)
    return replace(box, low=min(low, box.low), high=max(high, box.high))


def _running(panel: Panel, box: Placed) -> Iterable[Point]:
    """Where lines run along beside a box."""
    for line in (*panel.lines, *panel.entries, *panel.exits):
        for (a, c), (b, d) in itertools.pairwise(line):
            if c == d and min(a, b) < box.end - 1 and max(a, b) > box.start + 1:
                yield a, c
