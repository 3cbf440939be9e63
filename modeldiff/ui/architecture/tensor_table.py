"""The tensors of both models, aligned by place, with filters."""

from __future__ import annotations

import functools
import operator

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far
from modeldiff.ui.widgets.change_tables import change_frame, copy_changes, show_changes

_COLUMNS = (
    "layer",
    "target_layer",
    "component",
    "expert",
    "status",
    "base_shape",
    "target_shape",
    "base_dtype",
    "target_dtype",
    "median_pct",
    "unchanged_pct",
    "nonfinite",
    "reason",
    "base_name",
    "target_name",
)
_OUTSIDE = "outside the layers"
_MOST_ROWS = 10_000
"""More are megabytes for the browser, and nobody reads them one by one."""


def tensor_table(comparison: Comparison, state: DiffState) -> None:
    """Draw filters, the rows that pass them, and a download of these rows."""
    changes = changes_so_far(comparison, state)
    frame = change_frame(changes.ordered())
    present = changes.statuses
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = st.selectbox(
            "Layer",
            [_OUTSIDE, *sorted(frame["layer"].dropna().unique())],
            index=None,
            key="filter_layer",
            placeholder="all",
            width=180,
        )
        statuses = st.pills(
            "Status",
            [status for status in STATUS_WORDS if status in present],
            key="filter_status",
            selection_mode="multi",
            format_func=lambda status: f"{STATUS_WORDS[status].label} {present[status]:,}",
        )
        words = st.text_input(
            "Name contains", key="filter_name", type="search", max_chars=200, width=260
        )
    if layer is not None:
        frame = frame[frame["layer"].isna() if layer == _OUTSIDE else frame["layer"] == layer]
    if statuses:
        frame = frame[frame["status"].isin([STATUS_WORDS[status].label for status in statuses])]
    if words:
        names = (frame[name].fillna("") for name in ("component", "base_name", "target_name"))
        hits = (name.str.contains(words.strip(), case=False, regex=False) for name in names)
        frame = frame[functools.reduce(operator.or_, hits)]
    shown = frame.head(_MOST_ROWS)
    show_changes(shown, columns=_COLUMNS, alt="Tensors of both models by place", height=520)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "These rows as CSV",
            lambda: frame.to_csv(index=False),
            file_name="modeldiff-tensors.csv",
            mime="text/csv",
            key="download_rows",
            icon=":material/download:",
            on_click="ignore",
        )
        copy_changes(shown, columns=_COLUMNS, key="copy_tensors")
        text = f"{len(frame):,} of {len(changes):,} tensors"
        if len(shown) < len(frame):
            text += f"; the first {len(shown):,} are shown, the download has all"
        st.caption(text)
