"""The annotated diagram on a page, at widths between which the window's chooses."""

from __future__ import annotations

from modeldiff.drawings import CSS_PALETTE
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.ui.session.url_state import change_view
from modeldiff.ui.widgets.clickable_diagram import clickable_diagram

HOW_TO_CHOOSE = (
    "**Choose a box** to read what it does: click it, or use Tab, arrows and Enter; 1 to 9 jump "
    "to a parameter."
)
_WIDTHS = (1232.0, 1112.0, 800.0, 398.0)
"""In pixels: a full screen, a page in a wide window and in a narrow one, a phone."""


def page_diagram(drawing: Drawing, title: str) -> None:
    """Draw it in the page's colours and fonts. A click carries a box to the address, and so does
    another layer; ``title`` stands over it on a full screen."""
    clickable_diagram(
        title=title,
        drawings=[
            drawing.svg(width, CSS_PALETTE, sans="inherit", serif="var(--st-heading-font)")
            for width in _WIDTHS
        ],
        selected=drawing.selected,
        on_choose=lambda node: change_view(component=node),
        layer=drawing.layer,
        layers=drawing.architecture.layer_count,
        on_layer=lambda there: change_view(layer=there),
    )
