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
from modeldiff.drawings.diagram.layout.layout import (
    CardMaker,
    Layers,
    drawn_kinds,
    lay_out,
    lay_out_ways,
)
from modeldiff.drawings.diagram.legend_notes import NO_ANNOTATIONS, Annotations, annotate
from modeldiff.drawings.diagram.painter import Painter
from modeldiff.drawings.diagram.slide import sheet, slide
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
    numbered: bool = False,
    room: float | None = None,
    landscape: bool = False,
) -> str:
    """One decoder layer with all that comes before and after it, as one SVG element.

    ``layer`` None draws each kind of layer once, over all of its layers: numbers are then of the
    merged statistics, and a strip shows each layer's own. Without ``changes`` there are no bars.
    ``selected`` is a component or a heatmap column; boxes carry theirs in ``data-node``. ``title``
    and ``caption`` lines are for files.

    ``numbered`` puts numbers on the boxes and a legend that explains each in a sentence: beside the
    drawing, or below it where ``room`` (pixels across; None: as many as it takes) is not enough.
    ``landscape`` puts sublayers side by side, and all in the way that is largest on a slide.
    """
    readings = BoxValues(architecture, changes or ChangeTable(), metric)
    # Of all layers, so that the scale stays while one layer after the other is looked at.
    measured = readings.measured()
    scale = value_scale_of(measured, metric)
    any_values = any(metric.value(one) is not None for one in measured)

    where = f"layer {layer}" if layer is not None else "all layers"
    painter = Painter(palette, scale, selected, any_values, font)
    notes = annotate(architecture, drawn_kinds(architecture, layer)) if numbered else NO_ANNOTATIONS
    cards = card_maker(architecture, readings, notes)
    elsewhere = readings.not_here()
    if elsewhere:
        caption = (f"Not drawn, for only the other side has it: {', '.join(elsewhere)}", *caption)
    if landscape:
        ways = lay_out_ways(architecture, layer, cards)
        whole = slide(ways, notes.notes, painter.frame(title, caption))
    else:
        whole = sheet(lay_out(architecture, layer, cards), notes.notes, room)
    over = painter.notes(whole.notes, whole.x, whole.y)
    return painter.svg(whole.layout, f"{architecture.title}, {where}", title, caption, over)


def card_maker(
    architecture: Architecture, readings: BoxValues, notes: Annotations = NO_ANNOTATIONS
) -> CardMaker:
    """What makes a row's cards from the changes that were read, with the notes' numbers on them."""
    largest = max(
        (
            held[0].tensor.elements
            for by_name in architecture.holdings.values()
            for by_layer in by_name.values()
            for layer, held in by_layer.items()
            if layer is not None
        ),
        default=0,
    )

    def cards(row: Sequence[Node], layers: Layers) -> list[Card]:
        labels = Counter(step.label for step in row)
        made = []
        for step in row:
            found = readings.of(step, layers)
            made.append(
                make_card(
                    step,
                    step.label if labels[step.label] == 1 else longer_label(step),
                    found,
                    [_number(one, readings.metric) for one in found] if readings.compared else (),
                    largest=largest,
                    alone=len(row) == 1,
                    badge=notes.number_of(step.id),
                )
            )
        return made

    return cards


def longer_label(step: Node) -> str:
    """A label for one of several of the same name: with the network that it belongs to."""
    parts = step.id.split(".")
    # The many experts are the ones drawn as a stack.
    if len(parts) < 2 or len(step.label) == 1 or parts[-2] == "experts":
        return step.label
    return f"{parts[-2].removesuffix('_expert')} {step.label}"


def _number(reading: BoxValue, metric: Metric) -> str:
    if reading.value is None:
        return reading.words or "no value"
    number = metric.format(reading.value)
    return f"{number} · {reading.words}" if reading.words else number
