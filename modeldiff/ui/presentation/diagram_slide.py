"""The annotated diagram on a slide: with the list of its parameters where that has room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from modeldiff.architectures import Architecture
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.annotated.main_kind import with_main_kind
from modeldiff.drawings.diagram.layout.layout import drawn_kinds
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.ui.presentation.slides import FONT, HEADING_FONT, PAINT, Slide, fit

_WIDTHS = (1232.0, 1160.0, 1080.0, 1000.0)
_NARROW = (760.0, 398.0)
"""For windows in which the others could not be read."""


def diagram_slides(drawing: Drawing) -> Iterator[Slide]:
    """The slides of a diagram: one, or one a sublayer where it is too large to be read as a whole;
    none where nobody could read it."""
    if why_not_drawn(drawing.architecture):
        return
    whole = _largest(_whole_or_main(drawing))
    parts = [("", whole)]
    if fit(whole) < 1:
        parts = [(name, _largest([part])) for name, part in _sublayers(drawing)]
    layers = drawing.architecture.layer_count
    title = drawing.name
    if drawing.layer is not None:
        title += f", layer {drawing.layer} of 0–{layers - 1}"
    for number, (name, svg) in enumerate(parts, start=1):
        yield Slide(
            "diagram" if number == 1 else f"diagram-{number}",
            "Diagram",
            f"{title}: {name}" if name else title,
            about=drawing.facts(),
            drawings=(svg, *(_svg(drawing, width) for width in _NARROW)),
            layered=layers > 1,
        )


def _whole_or_main(drawing: Drawing) -> list[Drawing]:
    """All kinds of its layers, or the one that most of them are."""
    if drawing.layer is not None:
        return [drawing]
    main = with_main_kind(drawing.architecture)
    return [drawing] if main is drawing.architecture else [drawing, _of(drawing, main)]


def _sublayers(drawing: Drawing) -> Iterator[tuple[str, Drawing]]:
    """Its sublayers one by one, with their names."""
    main = _whole_or_main(drawing)[-1]
    kinds = drawn_kinds(main.architecture, main.layer)
    for kind in kinds[:1]:
        for sublayer in kind.sublayers:
            one = replace(kind, sublayers=(sublayer,))
            yield sublayer.name, _of(main, main.architecture.with_kinds((one,)))


def _of(drawing: Drawing, architecture: Architecture) -> Drawing:
    return replace(drawing, architecture=architecture)


def _largest(drawings: Sequence[Drawing]) -> str:
    """The first that is whole on a screen, with its list or else without; or what comes closest."""
    tried = []
    for drawing in drawings:
        for listed in (True, False):
            for width in _WIDTHS:
                svg = _svg(drawing, width, listed=listed)
                if fit(svg) >= 1:
                    return svg
                tried.append(svg)
    return max(tried, key=fit)


def _svg(drawing: Drawing, width: float, *, listed: bool = True) -> str:
    return drawing.svg(width, PAINT, sans=FONT, serif=HEADING_FONT, heading=False, listed=listed)
