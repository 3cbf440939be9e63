"""A model's diagram without numbers of change; a click on a box says what it does."""

from __future__ import annotations

from functools import partial

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.drawings import CSS_PALETTE, LIGHT, METRICS, diagram_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.model import Model
from modeldiff.ui.controls.choosers import choose_layer, choose_numbered, choose_slide
from modeldiff.ui.controls.downloads import drawing_downloads, side_provenance
from modeldiff.ui.place.place_panel import explanation_text
from modeldiff.ui.session.layer_playback import beat, played
from modeldiff.ui.session.url_state import change_view, current_view
from modeldiff.ui.widgets.clickable_diagram import clickable_diagram
from modeldiff.ui.widgets.markdown import plain


def model_diagram(model: Model) -> None:
    """Draw choosers, diagram and the panel of the chosen component, again while layers are played
    through."""
    begun = beat()

    def draw() -> None:
        if beat() != begun:
            st.rerun()
        _draw(model)

    st.fragment(draw, run_every=begun)()


def _draw(model: Model) -> None:
    architecture = model.architecture
    if reason := why_not_drawn(architecture):
        st.info(reason)
        return
    view = played(current_view("diagram"), architecture.layer_count)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbered, slide = choose_numbered(view), choose_slide(view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(view, architecture.layer_count)
    nodes = {node.id for node in architecture.nodes()}
    component = view.component if view.component in nodes else None
    draw = partial(diagram_svg, architecture, layer=layer, metric=METRICS[0], numbered=numbered)
    on_page = partial(draw, palette=CSS_PALETTE, font="inherit")
    drawing, panel = (st.container(), st.container()) if slide else st.columns([3, 2])
    with drawing:
        clickable_diagram(
            title=model.name,
            tall=on_page(room=0),
            wide=on_page() if numbered else None,
            landscape=on_page(landscape=True),
            slide=slide,
            selected=component,
            on_choose=lambda node: change_view(component=node),
            layer=layer,
            layers=architecture.layer_count,
            on_layer=lambda there: change_view(layer=there),
        )
        drawing_downloads(
            "modeldiff-diagram",
            lambda: draw(
                palette=LIGHT,
                selected=component,
                landscape=slide,
                title=model.name,
                caption=side_provenance(model),
            ),
        )
    with panel, st.container(border=True, key="place_panel"):
        if component is None:
            st.markdown("**Choose a box**, by a click or with Tab and Enter, to read what it does.")
            return
        explanation = explain(component, architecture)
        st.subheader(plain(explanation.title), anchor=False)
        explanation_text(explanation)
