"""The diagram's layout: the residual stream, the layers' frames, the branches off it.

Data flows upward, as in the field's own drawings. Everything is placed in ``u``, pixels above the
lower edge, and turned over into the picture's ``y`` at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from modeldiff.architectures.architecture import Architecture, LayerKind, Step, Sublayer
from modeldiff.drawings.block import Block, Line
from modeldiff.drawings.cards import Card
from modeldiff.drawings.lanes import arrange
from modeldiff.drawings.picture import Box, Layout, Panel, Route
from modeldiff.drawings.text_width import text_width
from modeldiff.wording import format_layers

MARGIN = 14.0
STREAM_X = MARGIN + 30
PANEL_X = STREAM_X + 36
_INSIDE = 14.0
_ROOM = 700.0
_NARROWEST = 380.0
_BETWEEN = 12.0
_TITLE = 30.0
_RIM = 10.0
_GHOST = 24.0
_MOST_KINDS = 6
TITLE_SIZE = 13.0
_PARALLEL_X = STREAM_X + 16

Layers = Sequence[int | None]
CardMaker = Callable[[Sequence[Step], Layers], Sequence[Card]]
"""Makes the cards of a row of steps that stand for these layers."""


def lay_out(
    architecture: Architecture,
    layer: int | None,
    cards: CardMaker,
    *,
    narrowest: float = _NARROWEST,
) -> Layout:
    """The layout of an architecture with one layer drawn, or with ``layer`` None of every kind.

    ``cards`` gets ``(None,)`` as the layers of what is outside of them. ``narrowest`` is the least
    width of the sublayers' panels.
    """
    drawn = drawn_kinds(architecture, layer)
    stem = arrange([cards(row, (None,)) for row in _depths(architecture.stem)], _ROOM)
    tail = arrange([cards(row, (None,)) for row in _depths(architecture.tail)], _ROOM)
    kinds = []
    for kind in drawn:
        layers: Layers = kind.layers if layer is None else (layer,)
        blocks = [arrange([cards(row, layers) for row in s.rows], _ROOM) for s in kind.sublayers]
        kinds.append((kind, list(zip(kind.sublayers, blocks, strict=True))))
    every = [stem, tail, *(block for _, sublayers in kinds for _, block in sublayers)]
    inner = max(narrowest, *(block.width + 2 * _INSIDE for block in every))
    page = _Page(inner)
    page.begin(stem)
    elided = {n for kind in architecture.layer_kinds for n in kind.layers} - {
        n for kind in drawn for n in (kind.layers if layer is None else (layer,))
    }
    if layer is not None:
        page.elide([n for n in elided if n < layer])
    for kind, sublayers in kinds:
        page.layer(_title(kind, layer), _aside(architecture, kind), kind, sublayers)
    if layer is not None:
        page.elide([n for n in elided if n > layer])
    else:
        page.elide(sorted(elided))
    page.end(tail)
    return page.turned()


def drawn_kinds(architecture: Architecture, layer: int | None) -> list[LayerKind]:
    """The kinds of layers that a drawing shows: those of this layer, or (None) all."""
    kinds = [k for k in architecture.layer_kinds if layer is None or layer in k.layers]
    return kinds[:_MOST_KINDS]


def _title(kind: LayerKind, layer: int | None) -> str:
    if layer is not None:
        return f"Layer {layer}"
    text = format_layers(kind.layers)
    return text[0].upper() + text[1:]


def _aside(architecture: Architecture, kind: LayerKind) -> str:
    count = len(kind.layers)
    alike = f"{count} layers alike" if count > 1 else "one layer"
    return f"{kind.name} · {alike}" if len(architecture.layer_kinds) > 1 else alike


def _depths(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps in rows: each above all of its inputs."""
    depth: dict[str, int] = {}
    rows: list[list[Step]] = []
    for step in steps:
        level = max((depth[i] + 1 for i in step.inputs if i in depth), default=0)
        depth[step.id] = level
        while len(rows) <= level:
            rows.append([])
        rows[level].append(step)
    return rows


def _comes_in(id: str) -> str:
    """What the steps before the layers read."""
    if "position" in id:
        return "positions"
    if "type" in id:
        return "token types"
    return "tokens" if id.startswith("embed") or "tok" in id else "input"


@dataclass
class _Page:
    """A page that grows upward; everything is kept in ``u`` until it is turned over."""

    inner: float
    u: float = MARGIN
    start: float = 0.0
    boxes: list[tuple[Card, float, float, float, float]] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    sums: list[tuple[float, float]] = field(default_factory=list)
    taps: list[tuple[float, float]] = field(default_factory=list)
    ends: list[tuple[float, float, str]] = field(default_factory=list)
    stream: list[tuple[float, float]] = field(default_factory=list)

    @property
    def width(self) -> float:
        return PANEL_X + self.inner + _INSIDE + MARGIN

    def begin(self, stem: Block) -> None:
        """Tokens, what turns them into vectors, and the beginning of the stream."""
        if not stem.spots:
            self.ends.append((STREAM_X, self.u, "input"))
            self.u += 28
            self.stream.append((STREAM_X, self.u - 8))
            return
        self.u += 18
        base, left = self._put(stem)
        names = {round(spot.x): spot.card.step.id for spot in stem.spots}
        inputs: dict[float, str] = {}
        for entry in stem.entries:
            self._route((), entry, base, left, "plain")
            inputs.setdefault(entry[0][0] + left, _comes_in(names.get(round(entry[-1][0]), "")))
        self.ends += [(x, base - 13, text) for x, text in inputs.items()]
        top = base + stem.height
        for line in stem.exits:
            x = line[0][0] + left
            self.stream += [(x, line[0][1] + base), (x, top), (STREAM_X, top)]
            break
        else:
            self.stream.append((STREAM_X, top))
        for line in stem.exits[1:]:
            self._route((), line, base, left, "plain", then=((STREAM_X, top),))
        self.u = top + _BETWEEN + 6

    def end(self, tail: Block) -> None:
        """What turns the stream into scores for the next token."""
        if not tail.spots:
            self.stream.append((STREAM_X, self.u + 16))
            self.routes.append(Route(tuple(self.stream), "stream"))
            self.u += 30
            self.ends.append((STREAM_X, self.u, "output"))
            self.u += 20
            return
        self.u += 6
        base, left = self._put(tail)
        for number, entry in enumerate(tail.entries):
            points = [(x + left, u + base) for x, u in entry]
            if number == 0:
                self.routes.append(
                    Route((*self.stream, (STREAM_X, base), points[0], *points[1:]), "stream")
                )
            else:
                self.routes.append(Route(((STREAM_X, base), *points), "plain"))
        top = base + tail.height
        for line in tail.exits:
            self._route((), line, base, left, "plain")
            self.ends.append((line[0][0] + left, top + 6, "logits"))
        self.u = top + 26

    def layer(
        self, title: str, aside: str, kind: LayerKind, sublayers: Sequence[tuple[Sublayer, Block]]
    ) -> None:
        """The frame of a layer, its sublayers stacked upward."""
        bottom = self.u
        self.u += _INSIDE
        first: float | None = None
        for sublayer, block in sublayers:
            low = self.u
            self.u += _RIM
            base, left = self._put(block)
            top = base + block.height
            if sublayer.adds:
                shared = kind.parallel and first is not None
                tap = first if shared and first is not None else base
                if not shared:
                    self.taps.append((STREAM_X, base))
                    first = base
                for entry in block.entries:
                    way: Line = ((STREAM_X, base),)
                    if shared:
                        way = ((STREAM_X, tap), (_PARALLEL_X, tap), (_PARALLEL_X, base))
                    self._route(way, entry, base, left, "branch")
                for line in block.exits:
                    self._route((), line, base, left, "branch", then=((STREAM_X, top),))
                self.sums.append((STREAM_X, top))
            # The title stands on the right, where the branch that goes back to the left is not.
            room = text_width(sublayer.name, TITLE_SIZE, bold=True) + 2 * _INSIDE
            last = max((line[0][0] for line in block.exits), default=0.0) + left
            free = last < PANEL_X + self.inner - room or not sublayer.adds
            self.u = top + (_RIM if free else _TITLE)
            self.panels.append(
                Panel("sublayer", sublayer.name, "", PANEL_X, low, self.inner, self.u - low)
            )
            self.u += _BETWEEN
        self.u += _TITLE - _BETWEEN
        x = MARGIN
        self.panels.append(
            Panel("layer", title, aside, x, bottom, self.width - 2 * x, self.u - bottom)
        )
        self.u += _BETWEEN

    def elide(self, layers: Sequence[int]) -> None:
        """A dashed bar for layers that are there but not drawn."""
        if not layers:
            return
        self.panels.append(
            Panel(
                "elided",
                format_layers(layers),
                "",
                MARGIN,
                self.u,
                self.width - 2 * MARGIN,
                _GHOST,
            )
        )
        self.u += _GHOST + _BETWEEN - 4

    def _put(self, block: Block) -> tuple[float, float]:
        """Place a block's boxes and inner lines; return its lower edge and its left one."""
        base, left = self.u, PANEL_X + (self.inner - block.width) / 2
        for spot in block.spots:
            self.boxes.append(
                (
                    spot.card,
                    spot.x + left - spot.width / 2,
                    spot.u + base,
                    spot.width,
                    spot.height,
                )
            )
        for line in block.lines:
            self._route((), line, base, left, "plain")
        return base, left

    def _route(
        self,
        before: Line,
        line: Line,
        base: float,
        left: float,
        kind: Literal["branch", "plain"],
        then: Line = (),
    ) -> None:
        points = tuple((x + left, u + base) for x, u in line)
        self.routes.append(Route((*before, *points, *then), kind))

    def turned(self) -> Layout:
        """The page as a picture, its y running downward."""
        height = self.u + MARGIN

        def flip(point: tuple[float, float]) -> tuple[float, float]:
            return point[0], height - point[1]

        return Layout(
            self.width,
            height,
            tuple(Box(card, x, height - u - h, w, h) for card, x, u, w, h in self.boxes),
            tuple(
                Panel(p.level, p.title, p.aside, p.x, height - p.y - p.height, p.width, p.height)
                for p in self.panels
            ),
            tuple(Route(tuple(map(flip, route.points)), route.kind) for route in self.routes),
            tuple(map(flip, self.sums)),
            tuple(map(flip, self.taps)),
            tuple((*flip((x, u)), text) for x, u, text in self.ends),
        )
