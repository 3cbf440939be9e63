"""The canvas that a diagram is put on, piece by piece from below: stream, frames, blocks, ends.

Everything is placed in ``u``, pixels above the lower edge, and turned over into the picture's ``y``
at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Literal

from modeldiff.architectures.architecture import LayerKind, Sublayer
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.block import Block, Branch, Polyline
from modeldiff.drawings.diagram.layout.canvas_columns import (
    BETWEEN,
    INSIDE,
    MARGIN,
    STREAM_X,
    TURN,
    CanvasColumn,
)
from modeldiff.drawings.diagram.layout.elements import Box, Frame, Layout, Route
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_layers

_TITLE_SIZE = 13.0
_TITLE = 30.0
_RIM = 10.0
_GHOST = 24.0
_PARALLEL_X = STREAM_X + 16


@dataclass
class Canvas:
    """A canvas that grows upward; everything is kept in ``u`` until it is turned over. ``label`` is
    the stream's."""

    column: CanvasColumn
    label: str = ""
    u: float = MARGIN
    boxes: list[tuple[Card, float, float, float, float]] = field(default_factory=list)
    panels: list[Frame] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    sums: list[tuple[float, float]] = field(default_factory=list)
    taps: list[tuple[float, float]] = field(default_factory=list)
    ends: list[tuple[float, float, str]] = field(default_factory=list)
    stream: list[tuple[float, float]] = field(default_factory=list)

    @property
    def width(self) -> float:
        return self.column.end + INSIDE + MARGIN

    def begin(self, stem: Block, names: Sequence[str]) -> None:
        """What comes in (by ``names``, one an entry), what turns it into vectors, and the stream's
        beginning."""
        x = self.column.stream
        if not stem.spots:
            self.ends.append((x, self.u, "input"))
            self.u += 28
            self.stream.append((x, self.u - 8))
            return
        self.u += 18
        base, left = self._put(stem)
        for entry in stem.entries:
            self._route((), entry, base, left, "plain")
        inputs = {entry[0][0] + left: name for entry, name in zip(stem.entries, names, strict=True)}
        self.ends += [(x, base - 13, text) for x, text in inputs.items()]
        top = base + stem.height
        for line in stem.exits[:1]:
            self.stream += [(line[0][0] + left, line[0][1] + base), (line[0][0] + left, top)]
        self.stream.append((x, top))
        for line in stem.exits[1:]:
            self._route((), line, base, left, "plain", then=((x, top),))
        self.u = top + BETWEEN + 6

    def end(self, tail: Block, out: str) -> None:
        """What turns the stream into what comes ``out``."""
        x = self.column.stream
        if not tail.spots:
            self.stream.append((x, self.u + 16))
            self._close_stream()
            self.u += 30
            half = text_width(out, _TITLE_SIZE, bold=True) / 2
            self.ends.append((max(x, MARGIN + half), self.u, out))
            self.u += 20
            return
        self.u += 6
        base, left = self._put(tail)
        for number, entry in enumerate(tail.entries):
            points = [(x + left, u + base) for x, u in entry]
            self.stream.append((x, base))
            if number == 0:
                self.stream += points
                self._close_stream()
            else:
                self.routes.append(Route(((x, base), *points), "plain"))
        if not tail.entries:
            self.stream.append((x, base))
            self._close_stream()
        top = base + tail.height
        for line in tail.exits:
            self._route((), line, base, left, "plain")
            self.ends.append((line[0][0] + left, top + 6, out))
        self.u = top + 26

    def layer(
        self,
        title: str,
        aside: str,
        among: tuple[bool, ...],
        kind: LayerKind,
        sublayers: Sequence[Branch],
    ) -> None:
        """The frame of a layer, on what is there, its sublayers stacked upward."""
        bottom = self.u
        self.u += INSIDE
        first: float | None = None
        for branch in sublayers:
            if branch.sublayer.adds:
                first = self._branch(kind, branch, first)
            else:
                low = self.u
                self.u += _RIM
                base, _ = self._put(branch.block)
                self._panel(branch.sublayer, low, base + branch.block.height + _TITLE)
        self.u += _TITLE - BETWEEN
        right = self.column.end + INSIDE
        self.panels.append(
            Frame("layer", title, aside, MARGIN, bottom, right - MARGIN, self.u - bottom, among)
        )
        self.u += BETWEEN

    def elide(self, layers: Sequence[int]) -> None:
        """A dashed bar for layers that are there but not drawn."""
        if not layers:
            return
        width = self.width - 2 * MARGIN
        self.panels.append(
            Frame("elided", format_layers(layers), "", MARGIN, self.u, width, _GHOST)
        )
        self.u += _GHOST + BETWEEN - 4

    def restart(self) -> None:
        """Go on above with a stream of its own."""
        self.stream = []
        self.u += BETWEEN

    def turned(self) -> Layout:
        """The canvas as a picture, its y running downward."""
        height = self.u + MARGIN

        def flip(point: tuple[float, float]) -> tuple[float, float]:
            return point[0], height - point[1]

        return Layout(
            self.width,
            height,
            tuple(Box(card, x, height - u - h, w, h) for card, x, u, w, h in self.boxes),
            tuple(replace(panel, y=height - panel.y - panel.height) for panel in self.panels),
            tuple(replace(route, points=tuple(map(flip, route.points))) for route in self.routes),
            tuple(map(flip, self.sums)),
            tuple(map(flip, self.taps)),
            tuple((*flip((x, u)), text) for x, u, text in self.ends),
        )

    def _branch(self, kind: LayerKind, branch: Branch, first: float | None) -> float:
        """A branch off the stream and back to it; return where it (or the ``first`` of parallel
        ones) left."""
        sublayer, block = branch.sublayer, branch.block
        x = self.column.stream
        low = self.u
        self.u += _RIM
        base, left = self._put(block)
        top = base + block.height
        shared = kind.parallel and first is not None
        if first is None or not shared:
            self.taps.append((x, base))
            first = base
        for entry in block.entries:
            way: Polyline = ((x, base),)
            if shared:
                way = ((x, first), (_PARALLEL_X, first), (_PARALLEL_X, base))
            self._route(way, entry, base, left, "branch")
        for line in block.exits:
            self._route((), line, base, left, "branch", then=((x, top),))
        self.sums.append((x, top))
        if branch.norm is not None:
            top = self._norm_the_sum(branch.norm, top)
        # The title stands on the right, where the branch that goes back to the left is not.
        room = text_width(sublayer.name, _TITLE_SIZE, bold=True) + 2 * INSIDE
        last = max((line[0][0] for line in block.exits), default=0.0) + left
        free = last < self.column.end - room
        self._panel(sublayer, low, top + (_RIM if free else _TITLE))
        return first

    def _norm_the_sum(self, norm: Block, sum_at: float) -> float:
        """Lead the stream through a norm over its sum; return where it is back in its place."""
        x = self.column.stream
        self.u = sum_at + 2 * _RIM
        base, _ = self._put(norm)
        (spot,) = norm.spots
        middle = self.column.panel + self.column.inner / 2
        low, high = base + spot.u, base + spot.u + spot.height
        turn = sum_at + TURN / 2
        self.stream += [(x, turn), (middle, turn), (middle, low)]
        self._close_stream()
        self.label = ""
        top = high + TURN / 2
        self.stream = [(middle, high), (middle, top), (x, top)]
        return top

    def _panel(self, sublayer: Sublayer, low: float, top: float) -> None:
        column = self.column
        self.panels.append(
            Frame("sublayer", sublayer.name, "", column.panel, low, column.inner, top - low)
        )
        self.u = top + BETWEEN

    def _close_stream(self) -> None:
        self.routes.append(Route(tuple(self.stream), "stream", self.label))

    def _put(self, block: Block) -> tuple[float, float]:
        """Place a block's boxes and inner lines; return its lower edge and its left one."""
        base, left = self.u, self.column.panel + (self.column.inner - block.width) / 2
        for spot in block.spots:
            x = spot.x + left - spot.width / 2
            self.boxes.append((spot.card, x, spot.u + base, spot.width, spot.height))
        for line in block.lines:
            self._route((), line, base, left, "plain")
        return base, left

    def _route(
        self,
        before: Polyline,
        line: Polyline,
        base: float,
        left: float,
        kind: Literal["branch", "plain"],
        then: Polyline = (),
    ) -> None:
        points = tuple((x + left, u + base) for x, u in line)
        self.routes.append(Route((*before, *points, *then), kind))
