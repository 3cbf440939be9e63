"""The answer on one screen: the sentence, the small heatmap, what differs, what is the same, and
how much of it was measured. Every state of a diff has the same places."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from modeldiff.architectures.facts.alike import alike_in_one_line, own_facts
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.findings.architecture_headline import architecture_headline
from modeldiff.findings.coverage import coverage_of
from modeldiff.findings.main_differences import (
    MainDifference,
    stand_out_sentence,
    structure_differences,
    weight_differences,
)
from modeldiff.results import Result
from modeldiff.text.formatting import format_bytes, format_count, format_duration
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far, diff_status
from modeldiff.ui.heatmap.small_heatmap import small_heatmap
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.summary.narrative_panel import narrative_of, sentence_text
from modeldiff.ui.widgets.linked_html import Link, LinkedEntry, linked_entries, linked_line
from modeldiff.ui.widgets.markdown import plain

_MOST_ENTRIES = 4
_PICTURE_AND_LIST = [2.09, 1]


def first_screen(comparison: Comparison, state: DiffState) -> None:
    """Draw it for a pair that has weights."""
    changes = changes_so_far(comparison, state)
    measured = any(change.statistics is not None for change in changes)
    with st.container(key="answer", gap=None):
        for line in _sentences(comparison, state, measured=measured):
            st.markdown(line)
        with st.container(key="likeness"):
            st.markdown(_likeness(state))
    picture, differences = st.columns(_PICTURE_AND_LIST, gap="medium")
    with picture:
        small_heatmap(comparison, state)
    with differences:
        st.subheader("What differs", anchor=False)
        linked_entries(_entries(comparison, changes, measured=measured), key="what_differs")
    same_line(comparison)
    with st.container(key="status"):
        if state.result is not None:
            with st.container(key="measured"):
                _coverage_line(state.result)
        else:
            diff_status(comparison, state)


def same_line(comparison: Comparison) -> None:
    """Draw in one line what both have in common."""
    facts = own_facts(comparison.facts)
    same = sum(pair.same for pair in facts)
    alike = alike_in_one_line(facts)
    linked_line(
        "=",
        "Otherwise the same:" if same < len(facts) else "Same architecture:",
        f"{alike}." if alike else "little.",
        f"All {same} facts" if same else "",
        Link("pages/architecture.py", link_query()),
        key="same",
    )


def structure_entries(comparison: Comparison) -> Iterator[LinkedEntry]:
    """The differences of how both are built, as entries of a list."""
    facts = own_facts(comparison.facts)
    different = sum(not pair.same for pair in facts)
    heading = f"Architecture: {different} of {len(facts)} facts"
    for difference in structure_differences(facts):
        yield _entry(difference, heading, Link("pages/architecture.py", link_query()))


def _sentences(comparison: Comparison, state: DiffState, *, measured: bool) -> Iterator[str]:
    if state.result is not None:
        yield sentence_text(narrative_of(state.result).headline)
        if stand_out := stand_out_sentence(state.result.changes):
            yield sentence_text(stand_out)
        return
    yield plain(architecture_headline(comparison.facts))
    if measured and state.active:
        yield "Its weights are being measured …"
    else:
        yield plain(f"The weights are {format_bytes(comparison.nbytes)} to read.")


def _likeness(state: DiffState) -> str:
    if state.result is None:
        return "&nbsp;"
    likeness = narrative_of(state.result).likeness
    if not likeness:
        return "&nbsp;"
    return f":gray[{sentence_text(likeness[0])}] [What this may mean](#inferred)"


def _entries(
    comparison: Comparison, changes: ChangeTable, *, measured: bool
) -> tuple[LinkedEntry, ...]:
    structure = list(structure_entries(comparison))
    weights = [
        _entry(difference, _weights_heading(changes), _cell_link(difference))
        for difference in (weight_differences(changes) if measured else ())
    ]
    room = _MOST_ENTRIES - min(2, len(weights))
    shown = structure[:room]
    return (*shown, *weights[: _MOST_ENTRIES - len(shown)])


def _weights_heading(changes: ChangeTable) -> str:
    compared = [change for change in changes if change.statistics is not None]
    moved = sum(c.statistics is not None and c.statistics.unchanged_pct != 100 for c in compared)
    who = "all" if moved == len(compared) else f"{moved:,} of"
    return f"Weights: {who} {len(compared):,} tensors moved"


def _cell_link(difference: MainDifference) -> Link:
    query = link_query(layer=difference.layer, component=difference.column)
    return Link("pages/heatmap.py", query)


def _entry(difference: MainDifference, heading: str, link: Link) -> LinkedEntry:
    return LinkedEntry(
        difference.kind, difference.title, difference.value, difference.note, link, heading
    )


def _coverage_line(result: Result) -> None:
    changes = result.changes
    coverage = coverage_of(changes)
    base = coverage.base
    whole = coverage.is_whole
    if whole:
        text = (
            f"All {base.tensors:,} tensors compared, {format_count(base.elements)} elements, all "
            "finite."
        )
    else:
        text = (
            f"{base.compared_tensors:,} of {base.tensors:,} tensors compared, "
            f"{coverage.shares_words} elements."
        )
    floors = (c.statistics.resolution_pct for c in changes if c.statistics is not None)
    floor = max((each for each in floors if each is not None), default=0.0)
    if floor >= 0.01:
        text += f" Floor {floor:.2g} %: no stored value can move by less."
    header = result.header
    text += f" Measured on {header.device} in {format_duration(header.seconds)}."
    link = Link("pages/architecture.py", link_query(rows="every"))
    linked_line("✓" if whole else "!", "", text, "" if whole else "Which?", link, key="coverage")
