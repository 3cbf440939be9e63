"""Both models' blocks side by side; a click on a box tells what it does in each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import FactPair, explain
from modeldiff.comparison import Comparison
from modeldiff.drawings import CSS_PALETTE
from modeldiff.drawings.comparison.difference_marks import counterpart
from modeldiff.drawings.comparison.side_by_side import SideBySide, side_by_side, similarity_text
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.model import Model
from modeldiff.text.file_names import pair_slug
from modeldiff.ui.controls.downloads import provenance
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.place.place_panel import explanation_text
from modeldiff.ui.session.entry_guard import guarded
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.widgets.markdown import plain
from modeldiff.ui.widgets.scrollable_svg import scrolled_drawing

_CHOSEN = "chosen_block"


def architecture_drawings(comparison: Comparison, facts: Sequence[FactPair]) -> None:
    """Draw the two, with what differs marked and named, and the buttons to download it.

    ``facts`` are both models' facts, compared.
    """
    base, target = comparison.base, comparison.target
    if reason := why_not_drawn(base.architecture, target.architecture):
        st.header("The two blocks", anchor="blocks")
        st.info(reason)
        return
    drawing = _drawing(base.identity, target.identity, comparison, facts)
    _explain_choice(comparison, drawing)
    st.header("The two blocks", anchor="blocks")
    names = comparison.names
    st.markdown(plain(similarity_text(drawing)))
    scrolled_drawing(
        side_by_side_svg(drawing, names, palette=CSS_PALETTE, font="inherit"),
        key="blocks",
        on_choose=_choose,
    )
    st.caption("Data runs upward. Click a box to read what it does.")
    figure_downloads(
        f"{pair_slug(names)}-blocks",
        lambda _, palette: side_by_side_svg(drawing, names, palette=palette),
        text_px=None,
        caption=_caption(comparison),
        origin=provenance(comparison),
        key="blocks_drawing",
    )


def _caption(comparison: Comparison) -> str:
    names = comparison.names
    return (
        f"The blocks of {names[0]} (left) and {names[1]} (right). Data runs upward. What differs "
        "is outlined; how it differs is written between the two."
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


def _explain_choice(comparison: Comparison, drawing: SideBySide) -> None:
    """Tell over the page what the box that was clicked does in each of the two."""
    node = st.session_state.pop(_CHOSEN, None)
    if node is None:
        return
    components = [
        counterpart(node, {box.card.node.id: box.card.node.id for box in side.boxes})
        for side in drawing.sides
    ]
    sides = (comparison.base, comparison.target)
    titles = [explain(f, s.architecture).title for f, s in zip(components, sides, strict=True) if f]
    if titles:
        dialog = st.dialog(plain(titles[0]), width="large")
        dialog(guarded()(_explanations))(sides, components)


def _explanations(sides: tuple[Model, Model], components: Sequence[str | None]) -> None:
    for role, side, component, column in zip(
        ("base", "target"), sides, components, st.columns(2, gap="medium"), strict=True
    ):
        with column:
            st.markdown(f":gray[{role.capitalize()} ·] {plain(side.name)}")
            if component is None:
                st.markdown("There is nothing at this place.")
                continue
            explanation_text(explain(component, side.architecture))
            st.page_link(
                "pages/diagram.py",
                label="See it in the diagram",
                icon=":material/schema:",
                query_params=link_query(component=component, side=role, layer=None),
            )
