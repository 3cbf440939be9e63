"""Below the answer: the numbers of the whole, what changed most, and what it may mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from modeldiff.changes import Change, Statistics
from modeldiff.comparison import Comparison
from modeldiff.findings.main_differences import stand_out_sentence
from modeldiff.findings.summary import summarize
from modeldiff.findings.words import place_words
from modeldiff.results import Result
from modeldiff.text.formatting import counted, format_cosine, format_pct
from modeldiff.ui.controls.downloads import result_downloads
from modeldiff.ui.place.statistic_notes import SUMMARY_NOTES
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.summary.narrative_panel import narrative_of, reading_panel
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.linked_html import Link, linked_table

_MOST = 6
_HEAD = ("median %", "Frobenius %", "cosine")


def numbers(names: str, result: Result, comparison: Comparison | None = None) -> None:
    """Draw them for a result of the pair that is called ``names``; ``comparison`` is of both models
    where they are there."""
    summary = summarize(result.changes, extremes=len(result.changes))
    if summary.statistics is not None:
        st.header("Numbers", anchor=False)
        _tiles(summary.statistics)
    changed = [
        c for c in summary.most_changed if c.statistics and c.statistics.unchanged_pct != 100
    ]
    matrices = [change for change in changed if _is_matrix(change)]
    vectors = [change for change in changed if not _is_matrix(change)]
    if changed:
        st.header("Most changed", anchor=False)
        page = "pages/result.py" if comparison is None else "pages/heatmap.py"
        left, right = st.columns(2, gap="medium")
        with left:
            _table("Matrices", matrices, page)
        with right:
            _table("Norms and other vectors", vectors, page)
        still = sum(c.statistics is not None for c in result.changes) - len(changed)
        if still:
            st.caption(
                f"{counted(still, 'more tensor')} {'is' if still == 1 else 'are'} identical."
            )
    st.header("What the numbers say, and what they may mean", anchor="inferred")
    reading_panel(result)
    st.caption("Over several tensors, percentiles are within 1.6 % of their value.")
    with st.container(horizontal=True):
        narrative = narrative_of(result)
        sentences = (
            names,
            narrative.headline,
            stand_out_sentence(result.changes),
            *narrative.facts,
            *narrative.likeness,
        )
        rows = [_cells(change) for change in (*matrices[:_MOST], *vectors[:_MOST])]
        copy_menu(
            [sentence for sentence in sentences if sentence],
            ("Most changed", *_HEAD),
            rows,
            key="copy_as",
        )
        result_downloads(comparison, result)


def _tiles(statistics: Statistics) -> None:
    with st.grid(5, min_column_width=150):
        for note in SUMMARY_NOTES:
            st.metric(note.label, note.text(statistics), help=note.says, border=True)


def _is_matrix(change: Change) -> bool:
    tensor = change.pair.base or change.pair.target
    return tensor is not None and len(tensor.shape) > 1


def _table(title: str, changes: Sequence[Change], page: str) -> None:
    """``page`` is where a cell is opened: of a saved result there is no heatmap without models."""
    if not changes:
        return
    links = [
        Link(page, link_query(layer=place.layer, component=place.column))
        for change in changes[:_MOST]
        for place in (change.pair.place,)
    ]
    rows = [_cells(change) for change in changes[:_MOST]]
    key = f"most_changed_{'matrices' if title == 'Matrices' else 'vectors'}"
    linked_table((f"{title} ({len(changes):,})", *_HEAD), rows, links, key=key)


def _cells(change: Change) -> tuple[str, str, str, str]:
    statistics = change.statistics
    assert statistics is not None
    return (
        place_words(replace(change.pair.place, expert=None)),
        format_pct(statistics.median_pct).removesuffix(" %"),
        format_pct(statistics.rel_frobenius_pct).removesuffix(" %"),
        format_cosine(statistics.cosine),
    )
