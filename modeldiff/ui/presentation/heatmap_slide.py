"""The heatmap on a slide, as large as the screen."""

from __future__ import annotations

from modeldiff.drawings.heatmap.options import PAGE, PHONE, SCREEN
from modeldiff.ui.heatmap.pictures import Picture
from modeldiff.ui.presentation.slides import DRAWING, Slide, reading_line

_SIZES = {"screen": SCREEN, "page": PAGE, "phone": PHONE}


def heatmap_slide(title: str, answer: str, picture: Picture) -> Slide:
    """The heatmap below its ``answer`` in a sentence."""
    return Slide(
        "heatmap",
        "Heatmap",
        title,
        reading_line(answer) + DRAWING,
        drawings=tuple(picture.drawn(_SIZES).values()),
    )
