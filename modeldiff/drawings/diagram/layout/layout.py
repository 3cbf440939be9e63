"""The diagram's layout: the residual stream, the layers' frames, the branches off it.

Data flows upward, as in the field's own drawings. A model of several towers has a stream for each,
the main one on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from operator import not_

from modeldiff.architectures.architecture import Architecture, LayerKind, Node, Sublayer
from modeldiff.architectures.graph.columns import is_before_layers
from modeldiff.architectures.spec import UNKNOWN
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.block import Block, Branch, Point
from modeldiff.drawings.diagram.layout.canvas import Canvas
from modeldiff.drawings.diagram.layout.canvas_columns import INSIDE, CanvasColumn
from modeldiff.drawings.diagram.layout.edge_routing import arrange
from modeldiff.drawings.diagram.layout.elements import Layout
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_layers

_ROOM = 1200.0
_NARROWEST = 380.0
_MOST_KINDS = 6

Layers = Sequence[int | None]
CardMaker = Callable[[Sequence[Node], Layers], Sequence[Card]]
"""Makes the cards of a row of nodes that stand for these layers."""


@dataclass(frozen=True)
class _Section:
    """A tower with what stands before and after its layers, arranged."""

    tower: str
    stem: Block
    names: Sequence[str]
    kinds: Sequence[tuple[LayerKind, Sequence[Branch]]]
    tail: Block
    out: str
    layer_count: int


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
    sections = list(_sections(architecture, layer, cards))
    widths = [narrowest]
    for section in sections:
        widths += [block.width + 2 * INSIDE for block in (section.stem, section.tail)]
        for _, sublayers in section.kinds:
            widths += [branch.width + 2 * INSIDE for branch in sublayers]
    canvas = Canvas(CanvasColumn(max(widths)))
    for number, section in enumerate(sections):
        if number:
            canvas.restart()
        canvas.label = _stream_label(architecture) if section is sections[-1] else "residual stream"
        canvas.begin(section.stem, section.names)
        below, above = _elided(architecture, section, layer)
        canvas.elide(below)
        for kind, sublayers in section.kinds:
            drawn = set(kind.layers) if layer is None else {layer}
            among = tuple(number in drawn for number in range(section.layer_count))
            canvas.layer(
                _title(kind, layer),
                kind_aside(architecture, kind),
                () if all(among) else among,
                kind,
                sublayers,
            )
        canvas.elide(above)
        canvas.end(section.tail, section.out)
    return canvas.turned()


def drawn_kinds(architecture: Architecture, layer: int | None) -> list[LayerKind]:
    """The kinds of layers that a drawing shows: those of this layer, or (None) all."""
    kinds = [k for k in architecture.layer_kinds if layer is None or layer in k.layers]
    return kinds[:_MOST_KINDS]


def _sections(
    architecture: Architecture, layer: int | None, cards: CardMaker
) -> Iterator[_Section]:
    """The towers, the main one (whose layers are named first) last, so that it is on top."""
    towers = list(dict.fromkeys(kind.tower for kind in architecture.layer_kinds)) or [""]
    for tower in (*towers[1:], towers[0]):
        yield _section(architecture, layer, cards, tower, towers)


def _section(
    architecture: Architecture,
    layer: int | None,
    cards: CardMaker,
    tower: str,
    towers: Sequence[str],
) -> _Section:
    stem, tail = tower_ends(architecture, tower, towers)
    before = arrange([cards(row, (None,)) for row in node_depths(stem)], _ROOM)
    after = arrange([cards(row, (None,)) for row in node_depths(tail)], _ROOM)
    kinds = []
    for kind in drawn_kinds(architecture, layer):
        if kind.tower == tower:
            layers: Layers = kind.layers if layer is None else (layer,)
            kinds.append((kind, [_branch(one, layers, cards) for one in kind.sublayers]))
    own = (kind for kind in architecture.layer_kinds if kind.tower == tower)
    return _Section(
        tower=tower,
        stem=before,
        names=[_input_name(_box_at(before, entry[-1])) for entry in before.entries],
        kinds=kinds,
        tail=after,
        out=goes_out(tail, main=tower == towers[0]),
        layer_count=max((number for kind in own for number in kind.layers), default=-1) + 1,
    )


def tower_ends(
    architecture: Architecture, tower: str, towers: Sequence[str]
) -> tuple[list[Node], list[Node]]:
    """The nodes before and after a tower's layers, the first of ``towers`` being the main one."""
    if tower == towers[0]:
        others = tuple(f"{other}." for other in towers[1:])
        stem = [node for node in architecture.stem if not node.id.startswith(others)]
        return stem, list(architecture.tail)
    start = f"{tower}."
    own = [node for node in architecture.stem if node.id.startswith(start)]
    early = [is_before_layers(node.id.removeprefix(start)) for node in own]
    return list(compress(own, early)), list(compress(own, map(not_, early)))


def goes_out(tail: Sequence[Node], *, main: bool) -> str:
    """What comes out of a tower that ends with ``tail``: of the ``main`` one logits, where that has
    the head of a language model; of others what the main one takes in."""
    if not main:
        return "to the decoder"
    return "logits" if any(node.id == "lm_head" for node in tail) else "output"


def _branch(sublayer: Sublayer, layers: Layers, cards: CardMaker) -> Branch:
    rows = [cards(row, layers) for row in sublayer.rows]
    split = len(rows) - 1 if sublayer.norms_sum else len(rows)
    norm = arrange(rows[split:], _ROOM) if sublayer.norms_sum else None
    return Branch(sublayer, arrange(rows[:split], _ROOM), norm)


def _elided(
    architecture: Architecture, section: _Section, layer: int | None
) -> tuple[list[int], list[int]]:
    """The layers of a section that are not drawn: those below the drawn one, and those above."""
    every = {n for k in architecture.layer_kinds if k.tower == section.tower for n in k.layers}
    if layer is not None:
        return [n for n in every if n < layer], [n for n in every if n > layer]
    return [], sorted(every - {n for kind, _ in section.kinds for n in kind.layers})


def _title(kind: LayerKind, layer: int | None) -> str:
    if layer is not None:
        return f"Layer {layer}"
    text = format_layers(kind.layers)
    return text[0].upper() + text[1:]


def kind_aside(architecture: Architecture, kind: LayerKind) -> str:
    count = len(kind.layers)
    between = max(kind.layers) - min(kind.layers) + 1 > count
    alike = (
        f"{count} layers{', interleaved' if between else ' alike'}" if count > 1 else "one layer"
    )
    if architecture.family == UNKNOWN:
        alike += " · order by name"
    # That it is a layer is said beside; what sets it apart from others is not.
    name = kind.name.partition(": ")[2] or kind.name
    return f"{name} · {alike}" if len(architecture.layer_kinds) > 1 else alike


def _stream_label(architecture: Architecture) -> str:
    """What the main stream is and how wide."""
    width = architecture.number("hidden_size")
    return f"residual stream · {width} numbers a token" if width else "residual stream"


def node_depths(nodes: Sequence[Node]) -> list[list[Node]]:
    """Nodes in rows: each above all of its inputs."""
    depth: dict[str, int] = {}
    rows: list[list[Node]] = []
    for node in nodes:
        level = max((depth[i] + 1 for i in node.inputs if i in depth), default=0)
        depth[node.id] = level
        while len(rows) <= level:
            rows.append([])
        rows[level].append(node)
    return rows


def _box_at(block: Block, end: Point) -> str:
    """The node in whose box a line ends."""
    return next(
        (
            spot.card.node.id
            for spot in block.spots
            if abs(spot.x - end[0]) <= spot.width / 2 and spot.u <= end[1] <= spot.u + spot.height
        ),
        "",
    )


def _input_name(id: str) -> str:
    """What the nodes before the layers read."""
    name = id.rpartition(".")[2]
    if "position" in name:
        return "positions"
    if "type" in name:
        return "token types"
    if "patch" in name:
        return "picture"
    return "tokens" if name.startswith("embed") or "tok" in name else "input"
