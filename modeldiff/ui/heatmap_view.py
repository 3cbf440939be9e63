"""The heatmap with its chooser and the panel of the chosen cell."""

from __future__ import annotations

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.drawings import LIGHT, heatmap_alt, heatmap_chart, heatmap_frame
from modeldiff.drawings.files import chart_to_svg
from modeldiff.ui.choosers import choose_cell, choose_from_list, choose_metric
from modeldiff.ui.diffing import DiffState, changes_so_far, measured
from modeldiff.ui.downloads import drawing_downloads, provenance
from modeldiff.ui.opening import Comparison
from modeldiff.ui.place_panel import explanation_text, place_panel, place_title
from modeldiff.ui.places import Cell, find_cell, in_data_order, rows_at
from modeldiff.ui.plain_reading import reading_panel
from modeldiff.ui.text import code
from modeldiff.ui.view import current_view, link_query

_CHART = "heatmap_chart"
_TURN = "heatmap_turn"


def heatmap_view(comparison: Comparison, state: DiffState) -> None:
    """Draw chooser, chart and panel. What is not measured yet stays grey."""
    view = current_view("heatmap")
    if state.result is not None:
        reading_panel(state.result)
    changes = changes_so_far(comparison, state)
    cell = find_cell(changes, view.layer, view.component) if view.component else None
    architectures = comparison.base.architecture, comparison.target.architecture
    chart_side, panel_side = st.columns([3, 2], gap="medium")
    with chart_side:
        metric = choose_metric(view)
        frame = heatmap_frame(measured(state), *architectures, metric)
        key = _chart_key(cell)
        with st.container(key="heatmap"):
            st.altair_chart(
                heatmap_chart(frame, metric, selected=cell),
                key=key,
                on_select=lambda: choose_cell(_clicked(key)),
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
        choose_from_list(in_data_order(changes, *architectures), cell)
        if cell is None:
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


def _chart_key(cell: Cell | None) -> str:
    """The chart's key, a new one where its last click is no longer what is chosen.

    The choice also moves without the chart: by the list, by a link, by the browser's Back. The
    chart would still hold its own last click then, and the same click again would be no change.
    """
    turn = st.session_state.setdefault(_TURN, 0)
    if _clicked(f"{_CHART}_{turn}") not in (None, cell):
        turn = st.session_state[_TURN] = turn + 1
    return f"{_CHART}_{turn}"


def _clicked(key: str) -> Cell | None:
    """The cell that was clicked last on the chart; None where none was, or a double click."""
    state = st.session_state.get(key)
    cells = state["selection"]["cell"] if state else []
    if not cells:
        return None
    layer = cells[-1].get("layer")
    return None if layer is None else int(layer), cells[-1]["column"]
