"""Rows of boxes joined by lines: where each box and line goes so that nothing lies on another.

Rows run upward, as data does: ``u`` counts pixels above the block's lower edge. Lines between two
rows turn at levels that no other line uses there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.block import Block, Polyline, Spot
from modeldiff.drawings.diagram.layout.row_graph import APART, LANE, Graph, RowNode
from modeldiff.drawings.style.packing import STRAIGHT, apart, least_limit, parts_at, tracks

_GAP = 20.0
_TRACK = 9.0
_SWEEPS = 24
_STIFF = 100.0
_OVER = 18.0


def arrange(rows: Sequence[Sequence[Card]], room: float, *, gap: float = _GAP) -> Block:
    """Lay out rows of cards (first row lowest), each with its node's ``inputs``.

    Rows wider than ``room`` are broken into several. Inputs that are no node of a lower row are
    left out; a node without inputs reads the stream, unless it is a lone parameter. ``gap`` is the
    least distance between two rows.
    """
    graph = _Lanes(_broken(rows, room), gap)
    graph.place()
    return graph.drawn()


def _broken(rows: Sequence[Sequence[Card]], room: float) -> list[list[Card]]:
    """The rows, with those that are too wide in about equal parts."""
    result: list[list[Card]] = []
    for row in rows:
        widths = [card.width + APART for card in row]
        limit = least_limit(widths, parts_at(widths, room + APART))
        filled = math.inf
        for card, width in zip(row, widths, strict=True):
            if filled + width > limit:
                result.append([])
                filled = 0.0
            result[-1].append(card)
            filled += width
    return result


class _Lanes(Graph):
    def __init__(self, rows: list[list[Card]], gap: float) -> None:
        super().__init__(rows)
        self.gap = gap

    def place(self) -> None:
        """Pull every node to the middle of its neighbours, as far as the row leaves room."""
        for sweep in range(_SWEEPS):
            rows = self.order if sweep % 2 == 0 else self.order[::-1]
            for row in rows:
                goals, weights = [], []
                for node in row:
                    near = [(self.nodes[n], self._pull(n, node.id)) for n in self.below[node.id]]
                    # A lane follows its source, and not the other way about.
                    near += [
                        (self.nodes[n], self._pull(node.id, n) if self._lone(node.id, n) else 1.0)
                        for n in self.above[node.id]
                    ]
                    pulls = [pull for _, pull in near]
                    weights.append(sum(pulls) or 0.01)
                    total = sum(pull * other.x for other, pull in near)
                    goals.append(total / sum(pulls) if pulls else 0.0)
                    if self._joins(node):
                        weights[-1], goals[-1] = _STIFF, sum(self._reach(node)) / 2
                places = apart([node.width for node in row], goals, weights, APART)
                for node, x in zip(row, places, strict=True):
                    node.x = x
                self._widen(row)
        for row in self.order:
            self._straighten(row)
            self._widen(row)
        left = min((n.x - n.width / 2 for n in self.nodes.values()), default=0.0)
        for node in self.nodes.values():
            node.x -= left

    def _pull(self, lower: str, upper: str) -> float:
        """How much a line wants to be straight: a lane follows its source, a lone box its other."""
        if self.nodes[upper].card is None:
            return _STIFF
        return _STIFF if self._lone(lower, upper) else 1.0

    def _lone(self, lower: str, upper: str) -> bool:
        """Whether a line is the only one of both its ends."""
        return len(self.below[upper]) == len(self.above[lower]) == 1

    def _straighten(self, row: Sequence[RowNode]) -> None:
        """Put each lane exactly over where its line comes from, if its neighbours leave room."""
        for at, node in enumerate(row):
            below = self.below[node.id]
            if len(below) != 1 or self._pull(below[0], node.id) != _STIFF:
                continue
            low, high = -math.inf, math.inf
            if at:
                low = row[at - 1].x + (row[at - 1].width + node.width + APART) / 2
            if at + 1 < len(row):
                high = row[at + 1].x - (row[at + 1].width + node.width + APART) / 2
            if low <= high:
                node.x = min(max(self.nodes[below[0]].x, low), high)

    def _joins(self, node: RowNode) -> bool:
        """Whether a node is an operation on several inputs."""
        return (
            node.card is not None
            and node.card.kind != "parameters"
            and len(self.below[node.id]) > 1
        )

    def _reach(self, node: RowNode) -> tuple[float, float]:
        """From where to where a node's inputs stand."""
        edges = []
        for source in (self.nodes[name] for name in self.below[node.id]):
            joined = source.card is not None and source.card.kind == "operation"
            half = source.width / 2 if joined else _OVER
            edges += [source.x - half, source.x + half]
        return min(edges), max(edges)

    def _widen(self, row: Sequence[RowNode]) -> None:
        """Let an operation on several inputs reach over them, so that their lines run straight."""
        for at, node in enumerate(row):
            if not self._joins(node) or node.card is None or node.card.kind == "symbol":
                continue
            left, right = self._reach(node)
            if at:
                left = max(left, row[at - 1].x + row[at - 1].width / 2 + APART)
            if at + 1 < len(row):
                right = min(right, row[at + 1].x - row[at + 1].width / 2 - APART)
            if right - left >= node.width:
                node.x, node.width = (left + right) / 2, right - left

    def drawn(self) -> Block:
        heights = [max((c.height for c in row), default=0.0) for row in self.cards]
        turns: list[dict[str, float]] = []
        spots: dict[str, Spot] = {}
        at = 0.0
        for row, height in enumerate(heights):
            levels, count = tracks(self._ends(row))
            turns.append({source: at + self.gap / 2 + _TRACK * n for source, n in levels.items()})
            at += self.gap + _TRACK * max(0, count - 1)
            for card in self.cards[row]:
                node = self.nodes[card.node.id]
                u = at + (height - card.height) / 2
                spots[node.id] = Spot(card, node.x, u, node.width, card.height)
            at += height
        height = at + self.gap
        entries, lines = self._lines(spots, turns)
        exits = [
            ((spot.x, spot.u + spot.height), (spot.x, height))
            for spot in (spots[card.node.id] for card in (self.cards[-1] if self.cards else ()))
            if spot.card.node.kind != "parameter"
        ]
        width = max((n.x + n.width / 2 for n in self.nodes.values()), default=0.0)
        return Block(
            width, height, tuple(spots.values()), tuple(lines), tuple(entries), tuple(exits)
        )

    def _lines(
        self, spots: Mapping[str, Spot], turns: Sequence[Mapping[str, float]]
    ) -> tuple[list[Polyline], list[Polyline]]:
        """The lines from the stream, and those from box to box, each through all of its lanes."""
        entries: list[Polyline] = []
        lines: list[Polyline] = []
        ways: dict[str, Polyline] = {}
        for name in self.entries:
            node, spot = self.nodes[name], spots.get(name)
            if spot is None:
                ways[name] = ((node.x, 0.0),)
            else:
                entries.append(((node.x, 0.0), (node.x, spot.u)))
        for row in range(1, len(self.cards)):
            for source, target, start, end in self._ends(row):
                below, spot = spots.get(source), spots.get(target)
                way = ways[source] if below is None else ((start, below.u + below.height),)
                bend: Polyline = ()
                if abs(start - end) > STRAIGHT:
                    bend = ((start, turns[row][source]), (end, turns[row][source]))
                if spot is None:
                    ways[target] = way + bend
                    continue
                if spot.card.kind == "symbol" and bend and self._free(target, start):
                    # Into the side of a sign, as such a sum or product is drawn by hand.
                    middle = spot.u + spot.height / 2
                    side = -spot.width / 2 if start < end else spot.width / 2
                    line = (*way, (start, middle), (spot.x + side, middle))
                else:
                    line = (*way, *bend, (end, spot.u))
                (entries if line[0][1] == 0 else lines).append(line)
        return entries, lines

    def _free(self, id: str, x: float) -> bool:
        """Whether ``x`` is beside a node, with no other box of its row between them."""
        node = self.nodes[id]
        low, high = sorted((node.x, x))
        return high - low > node.width / 2 + LANE / 2 and not any(
            other is not node
            and other.card is not None
            and other.x - other.width / 2 < high + LANE
            and other.x + other.width / 2 > low - LANE
            for other in self.order[node.row]
        )

    def _ends(self, row: int) -> list[tuple[str, str, float, float]]:
        """The lines from the row below to this one: source, target, and both their x."""
        ends = []
        for node in self.order[row]:
            sources = sorted((self.nodes[n] for n in self.below[node.id]), key=lambda n: n.x)
            sign = node.card is not None and node.card.kind == "symbol"
            reach = node.width / 2 - (3 if sign else 12)
            step = min(26.0, node.width / (len(sources) + 1))
            for number, source in enumerate(sources):
                end = node.x + step * (number - (len(sources) - 1) / 2)
                # Straight up wherever the box is above its source.
                if abs(source.x - node.x) <= reach and node.card is not None:
                    end = source.x
                ends.append((source.id, node.id, source.x, end))
        return ends
