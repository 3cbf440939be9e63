"""A model's diagram without numbers of change; a click on a box says what it does."""

from __future__ import annotations

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.drawings import METRICS
from modeldiff.drawings.annotated.annotated import LEAST_TEXT, Drawing
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.model import Model
from modeldiff.text.file_names import file_slug
from modeldiff.ui.alone.weight_spectrum import spectrum_at
from modeldiff.ui.controls.choosers import choose_layer
from modeldiff.ui.controls.downloads import side_provenance
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.controls.pulse import keep_pace
from modeldiff.ui.diagram.page_diagram import HOW_TO_CHOOSE, page_diagram
from modeldiff.ui.place.place_panel import explanation_text
from modeldiff.ui.session.entry_guard import guarded_part
from modeldiff.ui.session.layer_playback import beat, played
from modeldiff.ui.session.url_state import current_view
from modeldiff.ui.widgets.markdown import plain


def model_diagram(model: Model) -> None:
    """Draw choosers, diagram and the panel of the chosen component, again while layers are played
    through."""
    begun = beat()

    def draw() -> None:
        if beat() != begun:
            st.rerun()
        _draw(model)

    if begun is not None:
        keep_pace("play", begun)
    guarded_part(draw, "play")


def _draw(model: Model) -> None:
    architecture = model.architecture
    if reason := why_not_drawn(architecture):
        st.info(reason)
        return
    view = played(current_view("diagram"), architecture.layer_count)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(view, architecture.layer_count)
    nodes = {node.id for node in architecture.nodes()}
    component = view.component if view.component in nodes else None
    drawing = Drawing(architecture, model.name, METRICS[0], layer, None, selected=component)
    page_diagram(drawing, model.name)
    figure_downloads(
        f"{file_slug(model.name)}-diagram",
        drawing.svg,
        text_px=LEAST_TEXT,
        caption=drawing.caption(),
        origin=side_provenance(model),
    )
    with st.container(border=True, key="place_panel"):
        if component is None:
            st.markdown(HOW_TO_CHOOSE)
            return
        explanation = explain(component, architecture)
        st.subheader(plain(explanation.title), anchor=False)
        explanation_text(explanation)
        spectrum_at(model, layer, component)
