"""A cell of a saved result: its numbers, as far as they go without the weights."""

from __future__ import annotations

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.drawings import HeatmapOptions
from modeldiff.findings.selection import ChosenCell, rows_of_cell
from modeldiff.ui.heatmap.cell_choice import cell_in_view, keep_cell
from modeldiff.ui.heatmap.cell_panel import layer_panel, where_words
from modeldiff.ui.place.place_panel import place_panel
from modeldiff.ui.session.url_state import current_view
from modeldiff.ui.widgets.markdown import code


def saved_cell(changes: ChangeTable) -> ChosenCell | None:
    """What the address chooses of a saved result; None where nothing is."""
    chosen = cell_in_view(current_view("result"), HeatmapOptions(), changes)
    return chosen if chosen is not None and rows_of_cell(changes, chosen).rows else None


def saved_cell_panel(changes: ChangeTable, chosen: ChosenCell) -> None:
    """Draw the statistics of ``chosen``, a cell, layer or column of ``changes``."""
    place, where = rows_of_cell(changes, chosen), where_words(chosen, changes)
    with st.container(border=True, key="place_panel"):
        if chosen.column:
            st.subheader(code(chosen.column), anchor=False)
            st.caption(where)
            place_panel(place)
        else:
            layer_panel(where, place)
        st.button("Close", key="close_cell", on_click=keep_cell, args=(None,))
