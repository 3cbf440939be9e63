"""The heatmap with its chooser and the panel of the chosen cell."""

from __future__ import annotations

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.drawings import LIGHT, heatmap_alt, heatmap_chart, heatmap_frame
from modeldiff.drawings.files import chart_to_svg
from modeldiff.ui.choosers import choose_metric
from modeldiff.ui.diffing import DiffState, changes_so_far, measured
from modeldiff.ui.downloads import drawing_downloads, provenance
from modeldiff.ui.opening import Comparison
from modeldiff.ui.place_panel import explanation_text, place_panel, place_title
from modeldiff.ui.places import find_cell, rows_at
from modeldiff.ui.text import code
from modeldiff.ui.view import change_view, current_view, link_query

_CHART = "heatmap"


def heatmap_view(comparison: Comparison, state: DiffState) -> None:
    """Draw chooser, chart and panel. What is not measured yet stays grey."""
    view = current_view("heatmap")
    changes = changes_so_far(comparison, state)
    cell = find_cell(changes, view.layer, view.component) if view.component else None
    chart_side, panel_side = st.columns([3, 2], gap="medium")
    with chart_side:
        metric = choose_metric(view)
        frame = heatmap_frame(
            measured(state), comparison.base.architecture, comparison.target.architecture, metric
        )
        st.altair_chart(
            heatmap_chart(frame, metric, selected=cell),
            key=_CHART,
            on_select=_clicked,
            selection_mode="cell",
            alt=heatmap_alt(frame, metric),
        )
        st.caption(metric.description)
        drawing_downloads(
            "modeldiff-heatmap",
            lambda: chart_to_svg(
                heatmap_chart(frame, metric, selected=cell, palette=LIGHT),
                title=f"{comparison.base.text} → {comparison.target.text}",
                caption=provenance(comparison, state),
            ),
        )
    with panel_side, st.container(border=True, key="place_panel"):
        if cell is None:
            st.markdown("**Click a cell** to read what stands there and how it changed.")
            return
        layer, column = cell
        place = rows_at(changes, cell)
        where = "Outside the layers" if layer is None else f"Layer {layer}"
        if not place.rows:
            st.markdown(f"{where}: neither checkpoint has a tensor {code(column)}.")
            return
        component = place.rows[0].pair.place.component
        explanation = explain(component, comparison.base.architecture)
        place_title(explanation, where, column)
        place_panel(place)
        with st.expander("What it does"):
            explanation_text(explanation)
        st.page_link(
            "pages/diagram.py",
            label="See it in the diagram",
            icon=":material/schema:",
            query_params=link_query(layer=layer, component=component),
        )


def _clicked() -> None:
    """Carry the click to the URL: a cell, or nothing after a double click."""
    cells = st.session_state[_CHART]["selection"]["cell"]
    if cells:
        layer = cells[0].get("layer")
        change_view(layer=None if layer is None else int(layer), component=cells[0]["column"])
    else:
        change_view(layer=None, component=None)
