"""A finished diff at a glance: headline numbers, a plain narrative, and both ends of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from modeldiff.changes import Change
from modeldiff.comparison import Comparison
from modeldiff.findings.summary import Summary, summarize
from modeldiff.findings.words import place_words
from modeldiff.results import Result
from modeldiff.text.formatting import format_count, format_duration, format_pct
from modeldiff.ui.controls.diff_progress import DiffState
from modeldiff.ui.controls.downloads import result_downloads
from modeldiff.ui.place.statistics_panel import headline_metrics
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.summary.narrative_panel import reading_panel
from modeldiff.ui.widgets.markdown import code, plain

_EXTREMES = 8


def summary_panel(comparison: Comparison, state: DiffState) -> None:
    """Draw the summary of a result; nothing before there is one."""
    result = state.result
    if result is None:
        return
    summary = summarize(result.changes, extremes=_EXTREMES)
    st.header("What changed", anchor=False)
    if summary.statistics is not None:
        headline_metrics(summary.statistics, tensors=_compared(summary))
    reading_panel(result)
    st.caption(
        "Over several tensors, histograms and sums are added: percentiles are within 1.6 % of "
        f"their value. {_measured(result)}"
    )
    if summary.statistics is not None and summary.statistics.unchanged_pct != 100:
        left, right = st.columns(2)
        with left:
            _extremes("Most changed", summary.most_changed)
        with right:
            _extremes("Least changed", summary.least_changed)
    result_downloads(comparison, result)


def _compared(summary: Summary) -> str:
    compared, all_of_them = summary.statuses.get("compared", 0), sum(summary.statuses.values())
    return f"{format_count(compared)} of {format_count(all_of_them)}"


def _extremes(title: str, changes: Sequence[Change]) -> None:
    """Rows that each lead to their cell on the heatmap."""
    st.subheader(title, anchor=False)
    with st.container(border=True, gap="xsmall"):
        st.caption("Median :gray[· unchanged]", text_alignment="right")
        for change in changes:
            place, statistics = change.pair.place, change.statistics
            if statistics is not None:
                _row(
                    place_words(replace(place, expert=None)),
                    link_query(layer=place.layer, component=place.column),
                    f"{format_pct(statistics.median_pct)} "
                    f":gray[· {format_pct(statistics.unchanged_pct)}]",
                )


def _row(name: str, query: dict[str, str], numbers: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.page_link("pages/heatmap.py", label=plain(name), query_params=query, width="stretch")
        st.markdown(numbers, width="content")


def _measured(result: Result) -> str:
    header = result.header
    return (
        f"Measured on {code(header.device)} in {format_duration(header.seconds)}, "
        f"{header.created[:16].replace('T', ' ')} UTC."
    )
