"""A finished diff at a glance: headline numbers, a plain reading, and both ends of the table."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.changes import Change
from modeldiff.drawings import format_count, format_duration
from modeldiff.results import Result, Summary, summarize
from modeldiff.ui.diffing import DiffState
from modeldiff.ui.downloads import result_downloads
from modeldiff.ui.plain_reading import read_summary
from modeldiff.ui.statistics_panel import headline_metrics
from modeldiff.ui.tables import change_frame, show_changes
from modeldiff.ui.text import code
from modeldiff.ui.view import link_query

_EXTREMES = 8
_COLUMNS = ("layer", "component", "expert", "median_pct", "unchanged_pct")


def summary_panel(state: DiffState) -> None:
    """Draw the summary of a result; nothing before there is one."""
    result = state.result
    if result is None:
        return
    summary = summarize(result.changes, extremes=_EXTREMES)
    st.header("What changed", anchor=False)
    if summary.statistics is not None:
        headline_metrics(summary.statistics, tensors=_compared(summary))
    st.markdown(" ".join(read_summary(summary)))
    st.caption(
        f"Over {format_count(summary.elements)} elements: the tensors' histograms and sums are "
        "added, and percentiles are within 1.6 % of their value. "
        f"{_measured(result)}"
    )
    if summary.statistics is not None and summary.statistics.unchanged_pct != 100:
        left, right = st.columns(2)
        with left:
            _extremes("Most changed", summary.most_changed)
        with right:
            _extremes("Least changed", summary.least_changed)
    result_downloads(result)


def _compared(summary: Summary) -> str:
    compared, all_of_them = summary.statuses.get("compared", 0), sum(summary.statuses.values())
    return f"{format_count(compared)} of {format_count(all_of_them)}"


def _extremes(title: str, changes: Sequence[Change]) -> None:
    st.subheader(title, anchor=False)
    cells = [(change.pair.place.layer, change.pair.place.column) for change in changes]
    show_changes(
        change_frame(changes),
        columns=_COLUMNS,
        alt=f"{title} tensors by median",
        open_cell=lambda row: _open_cell(*cells[row]),
        key=title.lower().replace(" ", "_"),
    )


def _open_cell(layer: int | None, column: str) -> None:
    st.switch_page("pages/heatmap.py", query_params=link_query(layer=layer, component=column))


def _measured(result: Result) -> str:
    header = result.header
    return (
        f"Measured on {code(header.device)} in {format_duration(header.seconds)}, "
        f"{header.created[:16].replace('T', ' ')} UTC."
    )
