"""The diagram with its choosers and the panel of the chosen component."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from modeldiff.architectures import explain
from modeldiff.comparison import Comparison
from modeldiff.drawings import CSS_PALETTE, LIGHT, diagram_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.findings.selection import component_of, rows_of_component
from modeldiff.ui.controls.choosers import (
    choose_layer,
    choose_metric,
    choose_numbered,
    choose_side,
    choose_slide,
)
from modeldiff.ui.controls.diff_progress import DiffState, any_measured, changes_so_far
from modeldiff.ui.controls.downloads import drawing_downloads, provenance
from modeldiff.ui.place.place_panel import explanation_text, place_panel, place_title
from modeldiff.ui.session.layer_playback import played
from modeldiff.ui.session.url_state import change_view, current_view, link_query
from modeldiff.ui.widgets.clickable_diagram import clickable_diagram
from modeldiff.ui.widgets.markdown import code


def diagram_view(comparison: Comparison, state: DiffState) -> None:
    """Draw choosers, diagram and panel. Before a diff the boxes have shapes and no numbers."""
    view = current_view("diagram")
    table = changes_so_far(comparison, state)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=320):
            metric = choose_metric(view)
        side = choose_side(view, comparison)
        architecture = side.architecture
        changes = table.seen_from("base" if side is comparison.base else "target")
        numbers = changes if any_measured(state) else None
        if reason := why_not_drawn(architecture):
            st.info(reason)
            return
        view = played(view, architecture.layer_count)
        numbered = choose_numbered(view)
        slide = choose_slide(view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(view, architecture.layer_count)
    component = component_of(changes, view.component) if view.component else None
    draw = partial(
        diagram_svg,
        architecture,
        layer=layer,
        changes=numbers,
        metric=metric,
        numbered=numbered,
    )
    name = "all layers" if layer is None else f"layer {layer}"
    title = f"{comparison.names_text}, {name}"
    drawing, panel = _places(slide=slide, spacious=numbered and component is None)
    with drawing:
        on_page = partial(draw, palette=CSS_PALETTE, font="inherit")
        clickable_diagram(
            title=title,
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
        if numbers:
            st.caption(metric.description)
        about = (metric.description,) if numbers else ()
        drawing_downloads(
            f"modeldiff {name}".replace(" ", "-"),
            lambda: draw(
                palette=LIGHT,
                selected=component,
                landscape=slide,
                title=title,
                caption=(*about, *provenance(comparison, state)),
            ),
        )
    with panel, st.container(border=True, key="place_panel"):
        if component is None:
            st.markdown("**Choose a box**, by a click or with Tab and Enter, to read what it does.")
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
            if (layer is not None or not layered) and table is changes:
                st.page_link(
                    "pages/heatmap.py",
                    label="See it on the heatmap",
                    icon=":material/grid_on:",
                    query_params=link_query(
                        layer=layer if layered else None, component=place.column
                    ),
                )


def _places(*, slide: bool, spacious: bool) -> Sequence[DeltaGenerator]:
    """Where the drawing is and where the panel: below a slide, else beside the drawing."""
    if slide:
        return st.container(), st.container()
    # A legend wants room beside the drawing; the panel leaves it some while it is empty.
    return st.columns([4, 1] if spacious else [3, 2], gap="medium")


def _where(layer: int | None, layered: bool) -> str:
    if not layered:
        return "Outside the layers"
    return "All layers together" if layer is None else f"Layer {layer}"
