"""The heatmap as the first screen shows it: whole, small, layers across; a click leads to it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.drawings import (
    HeatmapOptions,
    cells_frame,
    gather_cells,
    heatmap_alt,
    heatmap_chart,
    heatmap_spec,
)
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far
from modeldiff.ui.session.url_state import chosen_metric, link_query
from modeldiff.ui.widgets.chart_selection import clicked

_OPTIONS = HeatmapOptions(across=True)
_HEIGHT = 340
"""Pixels: with what stands over and under it, it ends within a window of 720."""
_KEY, _SELECTION, _WANTED = "small_heatmap", "cell", "wanted_cell"


def small_heatmap(comparison: Comparison, state: DiffState) -> None:
    """Draw the picture of a diff, finished or not; a click opens the heatmap's page there."""
    wanted = st.session_state.pop(_WANTED, None)
    if wanted is not None:
        st.switch_page("pages/heatmap.py", query_params=link_query(**wanted))
    changes = changes_so_far(comparison, state)
    cells = gather_cells(changes, comparison.base.architecture, comparison.target.architecture)
    metric = chosen_metric()
    frame = cells_frame(cells, metric)
    key = f"{_KEY}_{'whole' if state.result else 'part'}"
    chart = heatmap_chart(frame, metric, options=_OPTIONS).properties(height=_HEIGHT)
    with st.container(key=_KEY):
        st.vega_lite_chart(
            spec=heatmap_spec(chart).with_selected(None),
            key=key,
            on_select=partial(_choose, key),
            selection_mode=_SELECTION,
            alt=heatmap_alt(frame, metric),
        )


def _choose(key: str) -> None:
    datum = clicked(key, _SELECTION)
    if datum:
        st.session_state[_WANTED] = {
            "layer": datum.get("layer"),
            "component": datum.get("column") or None,
        }
