"""The heatmap on a slide, as large as the screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from modeldiff.drawings.heatmap.options import PHONE, SCREEN
from modeldiff.drawings.style.fonts import REGULAR
from modeldiff.ui.heatmap.pictures import Picture
from modeldiff.ui.presentation.slides import DRAWING, WIDTH, Slide, reading_line

_WIDE = replace(SCREEN, font=15)
_SIZES = {"screen": _WIDE, "square": replace(_WIDE, width=960, rows=430), "phone": PHONE}
_TEXT = 17.0
"""The size of the line, in pixels."""


def heatmap_slide(title: str, answer: Iterable[str], picture: Picture) -> Slide:
    """The heatmap below as many sentences of its ``answer`` as have room in a line."""
    return Slide(
        "heatmap",
        "Heatmap",
        title,
        reading_line(_in_one_line(answer)) + DRAWING,
        drawings=tuple(picture.drawn(_SIZES).values()),
    )


def _in_one_line(sentences: Iterable[str]) -> str:
    line = ""
    for sentence in sentences:
        longer = f"{line} {sentence}".lstrip()
        if line and REGULAR.width(longer, _TEXT) > WIDTH:
            break
        line = longer
    return line
