"""Rows of boxes as a graph: which lanes the lines between them need, and who stands beside whom.

A line that passes a row it does not end in gets a lane of its own there, as a box has.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise

from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.style.packing import STRAIGHT
from modeldiff.processes.late_dataclass import dataclass

APART = 12.0
"""The least distance between neighbours in a row."""
LANE = 8.0
"""The width of a lane."""
READ_NOTHING = ("parameter", "input")
"""The kinds of nodes to which no line leads."""
STREAM = ""
"""The name under which nodes that read nothing of their own block read the stream beside it."""


@dataclass
class RowNode:
    """A box, or a lane (``card`` None) on the way of the line from ``source``."""

    id: str
    row: int
    width: float
    card: Card | None
    source: str = ""
    x: float = 0.0


class Graph:
    """Nodes by id, the links between neighbouring rows (``below`` and ``above``), the nodes that
    the stream enters (``entries``), and each row's nodes from left to right (``order``)."""

    def __init__(self, rows: list[list[Card]]) -> None:
        self.cards = rows
        row_of = {card.node.id: row for row, cards in enumerate(rows) for card in cards}
        self.nodes: dict[str, RowNode] = {}
        self.below: dict[str, list[str]] = defaultdict(list)
        self.above: dict[str, list[str]] = defaultdict(list)
        self.entries: list[str] = []
        for row, cards in enumerate(rows):
            for card in cards:
                self.nodes[card.node.id] = RowNode(card.node.id, row, card.width, card)
        for row, cards in enumerate(rows):
            for card in cards:
                inputs = [i for i in card.node.inputs if row_of.get(i, row) < row]
                if not card.node.inputs and card.node.kind not in READ_NOTHING:
                    inputs = [STREAM]
                for source in dict.fromkeys(inputs):
                    self._join(source, card.node.id, row_of.get(source, -1), row)
        self.leftward: set[str] = set()
        self.order = [self._ordered(row) for row in range(len(rows))]
        self._choose_sides()

    def _join(self, source: str, target: str, first: int, last: int) -> None:
        before = source
        for row in range(first + 1, last):
            lane = f"{source}\n{row}"
            if lane not in self.nodes:
                self.nodes[lane] = RowNode(lane, row, LANE, None, source)
                self._link(before, lane)
            before = lane
        self._link(before, target)

    def _link(self, lower: str, upper: str) -> None:
        if lower == STREAM:
            self.entries.append(upper)
        else:
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def _ordered(self, row: int) -> list[RowNode]:
        """A row's boxes in their given order, with the lanes where their lines come from."""
        boxes = [self.nodes[card.node.id] for card in self.cards[row]]
        self.spread(boxes)
        for box in boxes:
            feeding = [self.nodes[name].x for name in self.below[box.id]]
            if feeding:
                box.x = sum(feeding) / len(feeding)
            elif box.card is not None and box.card.node.kind in READ_NOTHING:
                # What nothing leads to stands aside.
                box.x = math.inf
        ordered = list(boxes)
        lanes = [n for n in self.nodes.values() if n.row == row and n.card is None]
        for lane in lanes:
            feeding = [self.nodes[name].x for name in self.below[lane.id]]
            # A line of the stream goes up beside everything.
            beside = -math.inf if lane.source in self.leftward else math.inf
            lane.x = feeding[0] if feeding else beside
        for lane in sorted(lanes, key=lambda node: node.x):
            edge = lane.x - STRAIGHT if lane.source in self.leftward else lane.x
            at = next((i for i, node in enumerate(ordered) if node.x > edge), len(ordered))
            ordered.insert(at, lane)
        self.spread(ordered)
        return ordered

    def _choose_sides(self) -> None:
        """Let a source's lanes go up on the left of the box over it (those of the stream: of all)
        where fewer lines then cross."""
        crossings = self._crossings()
        for source in dict.fromkeys(n.source for n in self.nodes.values() if n.card is None):
            if not crossings:
                return
            self.leftward.add(source)
            before, self.order = self.order, []
            for row in range(len(self.cards)):
                self.order.append(self._ordered(row))
            fewer = self._crossings()
            if fewer < crossings:
                crossings = fewer
            else:
                self.leftward.remove(source)
                self.order = before
                for nodes in before:
                    self.spread(nodes)

    def _crossings(self) -> int:
        """How many pairs of lines between neighbouring rows cross."""
        count = 0
        for lower, upper in pairwise(self.order):
            place = {node.id: at for at, node in enumerate(lower)}
            ends = [
                (place[name], at)
                for at, node in enumerate(upper)
                for name in self.below[node.id]
                if name in place
            ]
            count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
        return count

    def spread(self, nodes: Sequence[RowNode]) -> None:
        """Place a row's nodes side by side around 0."""
        total = sum(node.width for node in nodes) + APART * (len(nodes) - 1)
        at = -total / 2
        for node in nodes:
            node.x = at + node.width / 2
            at += node.width + APART
