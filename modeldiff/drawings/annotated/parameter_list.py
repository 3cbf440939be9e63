"""The parameters of a layer as a list: number, shape, size, share, and a sentence on each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modeldiff.architectures.architecture import Architecture, Node
from modeldiff.drawings.annotated.colours import Group
from modeldiff.drawings.annotated.painting.tile_painter import badge_tag
from modeldiff.drawings.annotated.sentences import sentence_on
from modeldiff.drawings.annotated.tiles import BADGE, TEXT, group_of, short_label
from modeldiff.drawings.diagram.layout.layout import drawn_kinds
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_share, grouped_digits
from modeldiff.text.magnitudes import short_count

_LINE, _BETWEEN, _GUTTER = 18.0, 9.0, 26.0
_INDENT = 2 * BADGE + 9
_NARROWEST = 300.0
_MOST_COLUMNS = 3


@dataclass(frozen=True)
class ListedParameter:
    """A parameter of the layers: ``nodes`` are where it is drawn, in several kinds of layers
    perhaps. ``about`` is shape, size of one, and share of the model over all layers."""

    number: int
    nodes: tuple[str, ...]
    name: str
    group: Group
    about: str
    sentence: str


def listed_parameters(architecture: Architecture, layer: int | None) -> list[ListedParameter]:
    """The parameters of the layers that are drawn, numbered in the order of the data. What has the
    same name and shape in another kind of layers is the same parameter."""
    listed: dict[tuple[str, str], ListedParameter] = {}
    for kind in drawn_kinds(architecture, layer):
        for sublayer in kind.sublayers:
            group: Group = (
                "mlp" if any(".mlp." in f".{node.id}" for node in sublayer.nodes()) else "attention"
            )
            for node in sublayer.nodes():
                if node.kind in ("operation", "input"):
                    continue
                key = node.id, node.shape
                if key not in listed:
                    listed[key] = ListedParameter(
                        len(listed) + 1,
                        (node.id,),
                        short_label(node),
                        group_of(node, group),
                        _about(node, architecture),
                        sentence_on(node, architecture),
                    )
    return list(listed.values())


def list_height(parameters: Sequence[ListedParameter], width: float) -> float:
    """How high the list is."""
    columns, column = _columns(width)
    return sum(_row_heights(parameters, columns, column))


def list_tags(parameters: Sequence[ListedParameter], width: float) -> str:
    """The list as SVG elements: columns from the left, each from above."""
    columns, column = _columns(width)
    rows = -(-len(parameters) // columns)
    heights = _row_heights(parameters, columns, column)
    parts = []
    for place, one in enumerate(parameters):
        x = place // rows * (column + _GUTTER)
        y = sum(heights[: place % rows])
        parts.append(
            f'<g class="listed {one.group}" transform="translate({x:.1f} {y:.1f})">'
            + badge_tag(one.number, BADGE, BADGE)
            + "".join(_entry(one, column))
            + "</g>"
        )
    return "".join(parts)


def _entry(one: ListedParameter, column: float) -> Iterator[str]:
    room = column - _INDENT
    name = SEMIBOLD.shorten(one.name, room, TEXT)
    beside = SEMIBOLD.width(name, TEXT) + 6 + REGULAR.width(one.about, TEXT) <= room
    about = f' <tspan class="aside" font-weight="400">{escape(one.about)}</tspan>' if beside else ""
    yield f'<text class="label" x="{_INDENT:g}" y="15">{escape(name)}{about}</text>'
    lines = [] if beside else [("aside", line) for line in REGULAR.wrap(one.about, room, TEXT)]
    lines += [("plain", line) for line in REGULAR.wrap(one.sentence, room, TEXT)]
    for row, (css, line) in enumerate(lines, start=1):
        yield text_tag(line, css, _INDENT, 15 + _LINE * row)


def _row_heights(parameters: Sequence[ListedParameter], columns: int, column: float) -> list[float]:
    """Of each row: as high as its highest entry."""
    rows = -(-len(parameters) // columns)
    return [
        max(
            _LINE * len(list(_entry(one, column)))
            for place, one in enumerate(parameters)
            if place % rows == row
        )
        + _BETWEEN
        for row in range(rows)
    ]


def _columns(width: float) -> tuple[int, float]:
    columns = min(max(int((width + _GUTTER) // (_NARROWEST + _GUTTER)), 1), _MOST_COLUMNS)
    return columns, (width - (columns - 1) * _GUTTER) / columns


def _about(node: Node, architecture: Architecture) -> str:
    by_name = architecture.holdings.get(node.id, {})
    trained = architecture.trained
    counts = [
        trained[node.id, name, layer] for name, by_layer in by_name.items() for layer in by_layer
    ]
    whole = architecture.number("parameters") or sum(trained.values())
    layers = {layer for by_layer in by_name.values() for layer in by_layer}
    parts = [grouped_digits(node.shape)]
    if ".experts." in f".{node.id}":
        experts = re.match(r"([\d,]+) experts", node.detail)
        parts[0] = f"{experts[1]} × ({parts[0]})" if experts else parts[0]
    if counts and layers:
        parts.append(short_count(round(sum(counts) / len(layers))))
    if counts and whole:
        parts.append(_share(sum(counts), whole))
    return " · ".join(filter(None, parts))


def _share(part: int, whole: int) -> str:
    return format_share(part, whole, digits=3) if part >= whole * 1e-4 else "< 0.01 %"
