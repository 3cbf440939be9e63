"""The diagram: an architecture with one layer drawn out, each parameter marked with its change.

One SVG, for the page (colours are CSS variables, boxes are buttons) and for files alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modeldiff.architectures.architecture import Architecture, Node
from modeldiff.changes import ChangeTable
from modeldiff.drawings.diagram.box_values import BoxValue, BoxValues
from modeldiff.drawings.diagram.boxes import Card, make_card
from modeldiff.drawings.diagram.layout.layout import CardMaker, Layers, lay_out
from modeldiff.drawings.diagram.painter import Painter
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.palette import FILE_FONT, Palette
from modeldiff.drawings.style.value_scale import value_scale_of


def diagram_svg(
    architecture: Architecture,
    *,
    layer: int | None,
    changes: ChangeTable | None = None,
    metric: Metric,
    palette: Palette,
    selected: str | None = None,
    font: str = FILE_FONT,
    title: str = "",
    caption: Sequence[str] = (),
) -> str:
    """One decoder layer with all that comes before and after it, as one SVG element.

    ``layer`` None draws each kind of layer once, over all of its layers: numbers are then of the
    merged statistics, and a strip shows each layer's own. Without ``changes`` there are no bars.
    ``selected`` is a component or a heatmap column; boxes carry theirs in ``data-node``. ``title``
    and ``caption`` lines are for files.
    """
    box_values = BoxValues(architecture, changes or ChangeTable(), metric)
    # Of all layers, so that the scale stays while one layer after the other is looked at.
    measured = box_values.measured()
    scale = value_scale_of(measured, metric)
    any_values = any(metric.value(one) is not None for one in measured)

    where = f"layer {layer}" if layer is not None else "all layers"
    painter = Painter(palette, scale, selected, any_values, font)
    elsewhere = box_values.not_here()
    if elsewhere:
        caption = (f"Not drawn, for only the other side has it: {', '.join(elsewhere)}", *caption)
    layout = lay_out(architecture, layer, card_maker(architecture, box_values))
    return painter.svg(layout, f"{architecture.title}, {where}", title, caption)


def card_maker(architecture: Architecture, box_values: BoxValues) -> CardMaker:
    """What makes a row's cards from the changes that were read."""
    largest = max(
        (
            group[0].tensor.elements
            for by_name in architecture.holdings.values()
            for by_layer in by_name.values()
            for layer, group in by_layer.items()
            if layer is not None
        ),
        default=0,
    )

    def cards(row: Sequence[Node], layers: Layers) -> list[Card]:
        labels = Counter(node.label for node in row)
        row_cards = []
        for node in row:
            values = box_values.of(node, layers)
            row_cards.append(
                make_card(
                    node,
                    node.label if labels[node.label] == 1 else longer_label(node),
                    values,
                    [_number(one, box_values.metric) for one in values]
                    if box_values.compared
                    else (),
                    largest=largest,
                    alone=len(row) == 1,
                )
            )
        return row_cards

    return cards


def longer_label(node: Node) -> str:
    """A label for one of several of the same name: with the network that it belongs to."""
    parts = node.id.split(".")
    # The many experts are the ones drawn as a stack.
    if len(parts) < 2 or len(node.label) == 1 or parts[-2] == "experts":
        return node.label
    return f"{parts[-2].removesuffix('_expert')} {node.label}"


def _number(value: BoxValue, metric: Metric) -> str:
    if value.value is None:
        return value.words or "no value"
    number = metric.format(value.value)
    return f"{number} · {value.words}" if value.words else number
