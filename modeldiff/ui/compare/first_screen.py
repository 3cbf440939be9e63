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
from modeldiff.findings.narrative import narrate
from modeldiff.results import Result
from modeldiff.text.formatting import format_bytes, format_count, format_duration
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far, diff_status
from modeldiff.ui.heatmap.small_heatmap import small_heatmap
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.summary.narrative_panel import narrative_of, sentence_text
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.linked_html import Link, LinkedEntry, linked_entries, linked_line
from modeldiff.ui.widgets.markdown import plain

_MOST_ENTRIES = 4
_LONG = 130
"""Letters of a gist of which the first clause is enough here: all of it stands below."""
_PICTURE_AND_LIST = [2.09, 1]


def first_screen(comparison: Comparison, state: DiffState) -> None:
    """Draw it for a pair that has weights."""
    changes = changes_so_far(comparison, state)
    measured = any(change.statistics is not None for change in changes)
    with st.container(key="answer", gap=None):
        if state.job is not None and state.job.error is not None:
            show_error(state.job.error)
        else:
            for line in _sentences(comparison, state, changes, measured=measured):
                st.markdown(line)
        _likeness_line(state.result)
    picture, differences = st.columns(_PICTURE_AND_LIST, gap="medium")
    with picture:
        architectures = comparison.base.architecture, comparison.target.architecture
        small_heatmap(changes, architectures, title=comparison.names_text)
    with differences:
        st.subheader("What differs", anchor=False)
        entries = _entries(comparison, changes, measured=measured)
        if entries:
            linked_entries(entries, key="what_differs")
        else:
            st.caption("Nothing in how both are built. Their weights are not measured yet.")
    same_line(comparison)
    with st.container(key="status"):
        if state.result is not None:
            with st.container(key="measured"):
                _coverage_line(state.result)
        else:
            diff_status(comparison, state, with_error=False)


def saved_screen(result: Result) -> None:
    """Draw the same of a saved result whose models are not here."""
    with st.container(key="answer", gap=None):
        for line in _measured_sentences(result):
            st.markdown(line)
        _likeness_line(result)
    picture, differences = st.columns(_PICTURE_AND_LIST, gap="medium")
    with picture:
        small_heatmap(result.changes, linked=False)
    with differences:
        st.subheader("What differs", anchor=False)
        heading = _weights_heading(result.changes)
        here = Link("pages/result.py", link_query())
        entries = [_entry(each, heading, here) for each in weight_differences(result.changes)]
        linked_entries(entries[:_MOST_ENTRIES], key="what_differs")
    with st.container(key="measured"):
        _coverage_line(result, linked=False)


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


def _sentences(
    comparison: Comparison, state: DiffState, changes: ChangeTable, *, measured: bool
) -> Iterator[str]:
    if state.result is not None:
        yield from _measured_sentences(state.result)
        return
    yield plain(architecture_headline(comparison.facts))
    if measured:
        yield sentence_text(narrate(changes).headline)
    else:
        yield plain(f"The weights are {format_bytes(comparison.nbytes)} to read.")


def _measured_sentences(result: Result) -> Iterator[str]:
    yield sentence_text(narrative_of(result).headline)
    if stand_out := stand_out_sentence(result.changes):
        yield sentence_text(stand_out)


def _likeness_line(result: Result | None) -> None:
    """What the change is like, and beside it how the picture below is to be read."""
    likeness = narrative_of(result).likeness if result is not None else ()
    text = "&nbsp;"
    if likeness:
        gist = likeness[0]
        if len(gist) > _LONG:
            gist = f"{gist.partition(': ')[0].removesuffix('.')}."
        text = f":gray[{sentence_text(gist)}] [What this may mean](#inferred)"
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="likeness",
    ):
        st.markdown(text, width="content")
        how_to_read("heatmap")


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
    so_far = " so far" if any(change.waiting for change in changes) else ""
    return f"Weights: {who} {len(compared):,} tensors moved{so_far}"


def _cell_link(difference: MainDifference) -> Link:
    query = link_query(layer=difference.layer, component=difference.column)
    return Link("pages/heatmap.py", query)


def _entry(difference: MainDifference, heading: str, link: Link) -> LinkedEntry:
    return LinkedEntry(
        difference.kind, difference.title, difference.value, difference.note, link, heading
    )


def _coverage_line(result: Result, *, linked: bool = True) -> None:
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
    label = "Which?" if linked and not whole else ""
    linked_line("✓" if whole else "!", "", text, label, link, key="coverage")
