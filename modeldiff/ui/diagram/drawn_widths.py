"""The annotated diagram at the widths of a page, between which the window's chooses."""

from __future__ import annotations

from modeldiff.drawings import CSS_PALETTE
from modeldiff.drawings.annotated.annotated import Drawing

_WIDTHS = (1232.0, 1112.0, 800.0, 398.0)
"""In pixels: a full screen, a page in a wide window and in a narrow one, a phone."""


def drawn_for_page(drawing: Drawing) -> list[str]:
    """The drawing as SVGs in the page's colours and fonts, the widest first."""
    return [
        drawing.svg(width, CSS_PALETTE, sans="inherit", serif="var(--st-heading-font)")
        for width in _WIDTHS
    ]
