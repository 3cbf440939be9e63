"""Both models' blocks side by side; a click on a box leads to it on the Diagram page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import FactPair
from modeldiff.drawings import CSS_PALETTE, LIGHT
from modeldiff.drawings.side_by_side import SideBySide, in_words, side_by_side
from modeldiff.drawings.side_by_side_svg import side_by_side_svg
from modeldiff.ui.downloads import drawing_downloads, provenance
from modeldiff.ui.opening import Comparison
from modeldiff.ui.scrolled_drawing import scrolled_drawing
from modeldiff.ui.text import plain
from modeldiff.ui.view import link_query

_CHOSEN = "chosen_block"
_LEAST = 0.72
"""Drawn smaller than this, its words would be hard to read."""


def architecture_drawings(comparison: Comparison, facts: Sequence[FactPair]) -> None:
    """Draw the two, with what differs marked and named, and the buttons to download it.

    ``facts`` are both models' facts, compared.
    """
    base, target = comparison.base, comparison.target
    drawing = _drawing(base.identity, target.identity, comparison, facts)
    _follow_choice(drawing)
    st.header("The two blocks", anchor=False)
    names = (base.text, target.text)
    st.markdown(plain(in_words(drawing)))
    scrolled_drawing(
        side_by_side_svg(drawing, names, palette=CSS_PALETTE, font="inherit"),
        key="blocks",
        least=_LEAST,
        on_choose=_choose,
    )
    st.caption("Data runs upward. A click on a box leads to what it does, on the Diagram page.")
    drawing_downloads(
        "modeldiff-blocks",
        lambda: side_by_side_svg(drawing, names, palette=LIGHT, caption=provenance(comparison)),
        key="blocks_drawing",
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _drawing(
    base: tuple[str, str],
    target: tuple[str, str],
    _comparison: Comparison,
    _facts: Sequence[FactPair],
) -> SideBySide:
    del base, target
    return side_by_side(_comparison.base.architecture, _comparison.target.architecture, _facts)


def _choose(node: str) -> None:
    st.session_state[_CHOSEN] = node


def _follow_choice(drawing: SideBySide) -> None:
    """Go to the Diagram page for the box that was clicked, drawn as a side that has it."""
    node = st.session_state.pop(_CHOSEN, None)
    if node is None:
        return
    in_base = any(box.card.step.id == node for box in drawing.sides[0].boxes)
    side = "base" if in_base else "target"
    st.switch_page(
        "pages/diagram.py", query_params=link_query(component=node, side=side, layer=None)
    )
