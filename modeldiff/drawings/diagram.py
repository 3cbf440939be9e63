"""The diagram: an architecture with one layer drawn out, each parameter marked with its change.

One SVG, for the page (colours are CSS variables, boxes are buttons) and for files alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modeldiff.architectures.architecture import Architecture, Step
from modeldiff.changes.change import Change
from modeldiff.drawings.cards import Card, make_card
from modeldiff.drawings.layout import lay_out
from modeldiff.drawings.metrics import Metric
from modeldiff.drawings.painter import Painter
from modeldiff.drawings.palette import Palette
from modeldiff.drawings.readings import Reading, Readings
from modeldiff.drawings.scale import choose_scale

FILE_FONT = "'Source Sans 3', 'Source Sans Pro', Helvetica, Arial, 'Liberation Sans', sans-serif"


def diagram_svg(
    architecture: Architecture,
    *,
    layer: int | None,
    changes: Iterable[Change] = (),
    metric: Metric,
    palette: Palette,
    selected: str | None = None,
    font: str = FILE_FONT,
    title: str = "",
    caption: Sequence[str] = (),
) -> str:
    """One decoder layer with all that comes before and after it, as one SVG element.

    ``layer`` None draws each kind of layer once, over all of its layers: numbers are then of the
    merged statistics, and a strip shows each layer's own. ``changes`` may be any part of the
    comparison, or none: then there are no bars. ``selected`` is a component or a heatmap column;
    boxes carry theirs in ``data-node``. ``title`` and ``caption`` lines are for files.
    """
    changes = tuple(changes)
    readings = Readings(architecture, changes, metric)
    values = (metric.value(change.statistics) for change in changes)
    scale = choose_scale(
        [value for value in values if value is not None],
        metric,
        {
            change.statistics.resolution_pct
            for change in changes
            if change.statistics is not None and change.statistics.resolution_pct is not None
        },
    )
    largest = _largest(architecture)

    def card(step: Step, layers: Sequence[int | None]) -> Card:
        found = readings.of(step.id, layers)
        numbers = [_number(reading, metric) for reading in found] if readings.compared else []
        return make_card(step, found, numbers, largest)

    where = f"layer {layer}" if layer is not None else "all layers"
    painter = Painter(palette, scale, selected, readings.compared, font)
    layout = lay_out(architecture, layer, card)
    return painter.svg(layout, f"{architecture.title}, {where}", title, caption)


def _number(reading: Reading, metric: Metric) -> str:
    if reading.value is None:
        return reading.words or "no value"
    number = metric.format(reading.value)
    return f"{number} · {reading.words}" if reading.words else number


def _largest(architecture: Architecture) -> int:
    """Elements of the largest tensor within the layers: what the boxes' widths relate to."""
    inside = [p.tensor.elements for p in architecture.parameters if p.place.layer is not None]
    return max(inside, default=0)
