"""The diagram with its choosers and the panel of the chosen component."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.comparison import Comparison
from modeldiff.drawings.annotated.annotated import LEAST_TEXT, Drawing
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.findings.selection import component_of, rows_of_component
from modeldiff.text.file_names import file_slug, pair_slug
from modeldiff.ui.controls.choosers import choose_layer, choose_metric, choose_side
from modeldiff.ui.controls.diff_progress import DiffState, any_measured, changes_so_far
from modeldiff.ui.controls.downloads import provenance
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.diagram.page_diagram import HOW_TO_CHOOSE, page_diagram
from modeldiff.ui.place.place_panel import explanation_text, place_panel, place_title
from modeldiff.ui.session.layer_playback import played
from modeldiff.ui.session.url_state import current_view, link_query
from modeldiff.ui.widgets.markdown import code


def diagram_view(comparison: Comparison, state: DiffState) -> None:
    """Draw choosers, diagram and panel. Before a diff the boxes have shapes and no numbers."""
    view = current_view("diagram")
    table = changes_so_far(comparison, state)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if comparison.has_weights:
            with st.container(width=320):
                choose_metric(view)
        side = choose_side(view, comparison)
        architecture = side.architecture
        own_side: Literal["base", "target"] = "base" if side is comparison.base else "target"
        changes = table.seen_from(own_side)
        numbers = changes if any_measured(state) else None
        if reason := why_not_drawn(architecture):
            st.info(reason)
            return
        view = played(view, architecture.layer_count)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(view, architecture.layer_count)
    component = component_of(changes, view.component) if view.component else None
    drawing = Drawing(architecture, side.name, view.metric, layer, numbers, selected=component)
    name = "all layers" if layer is None else f"layer {layer}"
    page_diagram(drawing, f"{comparison.names_text}, {name}")
    if numbers:
        st.caption(view.metric.description)
    if elsewhere := drawing.not_drawn():
        names = ", ".join(map(code, elsewhere))
        st.caption(f"Not drawn, for only the other side has it: {names}")
    figure_downloads(
        f"{pair_slug(comparison.names)}-diagram-{file_slug(name)}",
        drawing.svg,
        text_px=LEAST_TEXT,
        caption=_caption(comparison, drawing),
        origin=provenance(comparison, state if numbers else None),
    )
    with st.container(border=True, key="place_panel"):
        if component is None:
            st.markdown(HOW_TO_CHOOSE)
            return
        places = rows_of_component(changes, component, layer)
        layered = any(row.pair.place.layer is not None for place in places for row in place.rows)
        explanation = explain(component, architecture)
        place_title(explanation, _where(layer, layered), component)
        explanation_text(explanation)
        for place in places:
            if len(places) > 1:
                st.markdown(f"**{code(place.column)}**")
            place_panel(place)
            at = None if layer is None else table.layer_of(own_side, layer)
            if at is not None or not layered:
                st.page_link(
                    "pages/heatmap.py",
                    label="See it in the heatmap",
                    icon=":material/grid_on:",
                    query_params=link_query(layer=at if layered else None, component=place.column),
                )


def _caption(comparison: Comparison, drawing: Drawing) -> str:
    """What the figure shows, for the text around it."""
    words = drawing.caption()
    if drawing.changes is not None:
        names = comparison.names
        words += (
            f" Numbers are the {drawing.metric.label.lower()} from {names[0]} to {names[1]}. "
            f"{drawing.metric.description}"
        )
    return words


def _where(layer: int | None, layered: bool) -> str:
    if not layered:
        return "Outside the layers"
    return "All layers together" if layer is None else f"Layer {layer}"
