"""The annotated diagram on a slide: with the list of its parameters where that has room."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.annotated.main_kind import with_main_kind
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.ui.presentation.slides import FONT, HEADING_FONT, HEIGHT, PAINT, WIDTH, Slide

_WIDTHS = (1232.0, 1160.0, 1080.0, 1000.0)
_NARROW = (760.0, 398.0)
"""For windows in which the others could not be read."""


def diagram_slides(drawing: Drawing) -> Iterator[Slide]:
    """The slide of a diagram; none where nobody could read it."""
    if why_not_drawn(drawing.architecture):
        return
    layers = drawing.architecture.layer_count
    which = f"layer {drawing.layer} of {layers}" if drawing.layer is not None else ""
    yield Slide(
        "diagram",
        "Diagram",
        f"{drawing.name}, {which}" if which else drawing.name,
        about=drawing.facts(),
        drawings=(_whole(drawing), *(_svg(drawing, width) for width in _NARROW)),
        layered=layers > 1,
    )


def _whole(drawing: Drawing) -> str:
    """The drawing that is whole on a screen: with its list, without, or of one kind of layers."""
    main = drawing
    if drawing.layer is None:
        main = replace(drawing, architecture=with_main_kind(drawing.architecture))
    tried: list[tuple[float, str]] = []
    for each, listed in ((drawing, True), (drawing, False), (main, True), (main, False)):
        for width in _WIDTHS:
            svg = _svg(each, width, listed=listed)
            tried.append((_scale(svg), svg))
            if tried[-1][0] >= 1:
                return svg
    return max(tried, key=lambda one: one[0])[1]


def _svg(drawing: Drawing, width: float, *, listed: bool = True) -> str:
    return drawing.svg(width, PAINT, sans=FONT, serif=HEADING_FONT, heading=False, listed=listed)


def _scale(svg: str) -> float:
    """How large a drawing gets on a screen of 1280 × 720."""
    size = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    return min(WIDTH / float(size[1]), HEIGHT / float(size[2])) if size else 0.0
