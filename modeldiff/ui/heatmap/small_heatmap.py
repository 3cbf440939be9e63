"""The heatmap as the first screen shows it: whole, small, layers across; a click leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings import (
    HeatmapOptions,
    cells_frame,
    gather_cells,
    heatmap_alt,
    heatmap_chart,
    heatmap_spec,
)
from modeldiff.ui.session.url_state import chosen_metric, link_query
from modeldiff.ui.widgets.chart_selection import clicked

_OPTIONS = HeatmapOptions(across=True)
_HEIGHT = 340
"""Pixels: with what stands over and under it, it ends within a window of 720."""
_KEY, _SELECTION, _WANTED = "small_heatmap", "cell", "wanted_cell"


def small_heatmap(
    changes: ChangeTable, architectures: Sequence[Architecture] = (), *, linked: bool = True
) -> None:
    """Draw the picture of a change table, finished or not. ``architectures`` are base's and
    target's, by which columns are grouped; ``linked``: a click opens the heatmap's page there."""
    wanted = st.session_state.pop(_WANTED, None)
    if wanted is not None:
        st.switch_page("pages/heatmap.py", query_params=link_query(**wanted))
    cells = gather_cells(changes, *architectures)
    metric = chosen_metric()
    frame = cells_frame(cells, metric)
    # A picture that fills is another one at each step; what was clicked on the last is no more.
    key = f"{_KEY}_{sum(change.statistics is not None for change in changes)}"
    chart = heatmap_chart(frame, metric, options=_OPTIONS).properties(height=_HEIGHT)
    with st.container(key=_KEY):
        st.vega_lite_chart(
            spec=heatmap_spec(chart).with_selected(None),
            key=key,
            on_select=partial(_choose, key) if linked else "ignore",
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
