"""The layer table: both models' tensors as one prints them, one beside the other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import streamlit as st

from modeldiff.architectures.listing.layer_table import (
    LayerGroup,
    LayerRow,
    LayerTable,
    find_rows,
    layer_table,
)
from modeldiff.comparison import Comparison
from modeldiff.text.formatting import format_printed
from modeldiff.ui.architecture.layer_rows import copy_rows, count_rows, layer_rows
from modeldiff.ui.architecture.tensor_table import tensor_table
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far
from modeldiff.ui.session.url_state import View, change_view, current_view

LAST, FOLDED, EVERY = "last", "folded", "every"
_WORDS = {
    LAST: "last layer, and what follows",
    FOLDED: "whole model, folded",
    EVERY: "every tensor on its own",
}
_CHOOSER = "layer_rows"
_SEARCH = "layer_search"


def layer_view(comparison: Comparison, state: DiffState) -> None:
    """Draw the choosers, the rows that they leave, and a download of these."""
    table = _table(comparison.base.identity, comparison.target.identity, comparison)
    view = current_view("architecture")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = _choose(view, table)
        words = (
            st.text_input("Name contains", key=_SEARCH, type="search", max_chars=200, width=280)
            if chosen != EVERY
            else ""
        )
    if chosen == EVERY:
        tensor_table(comparison, state)
        return
    groups = _groups(table, chosen)
    if words.strip():
        groups = find_rows(groups, words)
    changes = changes_so_far(comparison, state)
    layer_rows(comparison, table, groups, changes, searched=bool(words.strip()))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "These rows as CSV",
            lambda: rows_csv(groups),
            file_name="modeldiff-layers.csv",
            mime="text/csv",
            key="download_layer_rows",
            icon=":material/download:",
            on_click="ignore",
        )
        copy_rows(comparison, groups)
        count_rows(groups)


def rows_csv(groups: Sequence[LayerGroup]) -> str:
    """The rows with both sides' names, shapes, types and numbers, and the layers they hold for."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    sides = ("base", "target")
    fields = ("layers", "name", "shape", "type", "tensors_a_layer")
    write.writerow(["place", "status", *(f"{side}_{field}" for side in sides for field in fields)])
    for group in groups:
        for row in group.rows:
            write.writerow([row.column, row.status, *_fields(group, row)])
    return text.getvalue()


def _fields(group: LayerGroup, row: LayerRow) -> Iterator[str]:
    for side, layers in ((row.base, group.base_layers), (row.target, group.target_layers)):
        yield " ".join(map(str, layers))
        if side is None:
            yield from ("", "", "", "")
        else:
            yield from (side.name, format_printed(side.shape), side.dtype, str(side.count))


@st.cache_resource(max_entries=8, show_spinner=False)
def _table(base: tuple[str, str], target: tuple[str, str], _comparison: Comparison) -> LayerTable:
    return layer_table(_comparison.base.architecture, _comparison.target.architecture)


def _choose(view: View, table: LayerTable) -> str | int:
    """What is shown: the last layers unless the URL says another layer, or all of them."""
    options: list[str | int] = [*_WORDS, *table.layers]
    chosen: str | int = view.layer if view.layer in table.layers else LAST
    if view.rows in _WORDS:
        chosen = view.rows
    st.session_state[_CHOOSER] = chosen
    st.selectbox(
        "Layer",
        options,
        key=_CHOOSER,
        format_func=lambda option: _WORDS.get(option, f"layer {option}"),
        on_change=_take_choice,
        width=280,
    )
    return chosen


def _take_choice() -> None:
    chosen = st.session_state[_CHOOSER]
    if chosen in _WORDS:
        change_view(rows=chosen)
    else:
        change_view(layer=chosen, rows=None)


def _groups(table: LayerTable, chosen: str | int) -> tuple[LayerGroup, ...]:
    if isinstance(chosen, int):
        return table.at(chosen)
    return table.folded() if chosen == FOLDED else table.last()
