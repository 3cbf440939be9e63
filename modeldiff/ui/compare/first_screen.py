"""The answer on one screen: the sentence, the small heatmap, what differs, what is the same, and
how much of it was measured. Every state of a diff has the same places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import streamlit as st

from modeldiff.architectures.facts.alike import alike_in_one_line, own_facts
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.findings.architecture_headline import architecture_headline, tensors_apart
from modeldiff.findings.coverage import coverage_of
from modeldiff.findings.main_differences import (
    MainDifference,
    stand_out_sentence,
    structure_differences,
    weight_differences,
)
from modeldiff.findings.narrative import narrate
from modeldiff.findings.summary import coarsest_step
from modeldiff.findings.words import enumeration
from modeldiff.results import Result
from modeldiff.text.formatting import counted, format_bytes, format_count, format_duration
from modeldiff.ui.compare.saved_cell import saved_cell, saved_cell_panel
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far, diff_status
from modeldiff.ui.heatmap.cell_choice import keep_cell
from modeldiff.ui.heatmap.small_heatmap import small_heatmap
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.summary.narrative_panel import narrative_of, sentence_text
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.linked_html import Link, LinkedEntry, linked_entries, linked_line

_MOST_ENTRIES = 4
_LONG = 105
"""Letters of a gist of which the first clause is enough here: all of it stands below. It has one
line, beside what explains the picture."""
_IN_BRACKETS = re.compile(r" \([^()]*\)")
_PICTURE_AND_LIST = [2.09, 1]
_NOTHING = {
    False: "Nothing in the architecture. The weights are not measured yet.",
    True: "Nothing in the architecture, in the weights that were compared, or in the files beside "
    "them that were looked at.",
}
"""What is said where nothing differs, by whether the weights were measured."""


def first_screen(comparison: Comparison, state: DiffState) -> None:
    """Draw it for a pair that has weights."""
    changes = changes_so_far(comparison, state)
    with st.container(key="answer", gap=None):
        if state.error is not None:
            show_error(state.error)
        else:
            for line in answer_of(comparison, state, changes):
                st.markdown(sentence_text(line))
        _likeness_line(state.result)
    picture, differences = st.columns(_PICTURE_AND_LIST, gap="medium")
    with picture:
        architectures = comparison.base.architecture, comparison.target.architecture
        small_heatmap(changes, architectures, title=comparison.names_text)
    with differences:
        st.subheader("What differs", anchor=False)
        entries = differences_of(comparison, changes)
        if entries:
            linked_entries(entries, key="what_differs")
        else:
            st.caption(_NOTHING[state.result is not None])
        if alone := tuple(one_sided_entries(comparison)):
            st.subheader("Known of one side only", anchor=False)
            linked_entries(alone, key="known_of_one_side")
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
        for line in measured_sentences(result):
            st.markdown(sentence_text(line))
        _likeness_line(result)
    picture, beside = st.columns(_PICTURE_AND_LIST, gap="medium")
    chosen = saved_cell(result.changes)
    with picture:
        small_heatmap(result.changes, chosen=chosen, on_choose=keep_cell)
    with beside:
        if chosen is not None:
            saved_cell_panel(result.changes, chosen)
        else:
            st.subheader("What differs", anchor=False)
            linked_entries(saved_differences(result), key="what_differs")
    with st.container(key="measured"):
        _coverage_line(result, linked=False)


def same_line(comparison: Comparison) -> None:
    """Draw in one line what both have in common."""
    same = sum(pair.same for pair in own_facts(comparison.facts))
    linked_line(
        "=",
        *same_words(comparison),
        f"All {same} facts" if same else "",
        Link("pages/architecture.py", link_query()),
        key="same",
    )


def same_words(comparison: Comparison) -> tuple[str, str]:
    """What both have in common: how the line begins, and the rest of it."""
    facts = own_facts(comparison.facts)
    apart = any(pair.differs for pair in facts) or tensors_apart(comparison.pairs)
    alike = alike_in_one_line(facts)
    if apart:
        lead = "Otherwise the same:"
    elif all(pair.same for pair in facts):
        lead = "Same architecture:"
    else:
        lead = "Same architecture, as far as it is known of both:"
    return lead, f"{alike}." if alike else "little."


def structure_entries(comparison: Comparison) -> Iterator[LinkedEntry]:
    """The differences of how both are built, as entries of a list."""
    facts = own_facts(comparison.facts)
    different = sum(pair.differs for pair in facts)
    heading = f"Architecture: {different} of {len(facts)} facts"
    link = Link("pages/architecture.py", link_query())
    differences = structure_differences(facts)
    for difference in differences:
        yield _entry(difference, heading, link)
    # Where telling facts differ, tensors of one side alone follow from these.
    if not differences and (apart := tensors_apart(comparison.pairs)):
        yield LinkedEntry("structure", apart, "", "", link, heading)


def answer_of(comparison: Comparison, state: DiffState, changes: ChangeTable) -> Iterator[str]:
    """The answer as far as it is known, in plain text."""
    if state.result is not None:
        yield from measured_sentences(state.result)
        return
    yield architecture_headline(comparison.facts, comparison.pairs)
    if _any_statistics(changes):
        yield narrate(changes).headline
    else:
        yield f"The weights are {format_bytes(comparison.nbytes)} to read."


def measured_sentences(result: Result) -> Iterator[str]:
    """The answer of a finished diff, in plain text."""
    yield narrative_of(result).headline
    if stand_out := stand_out_sentence(result.changes):
        yield stand_out


def likeness_gist(result: Result | None) -> str:
    """What the change is like, in one plain sentence; empty where nothing is known of that."""
    likeness = narrative_of(result).likeness if result is not None else ()
    gist = likeness[0] if likeness else ""
    if len(gist) > _LONG:
        gist = f"{gist.partition(': ')[0].removesuffix('.')}."
    # Where something is stands below, with all the rest.
    return _IN_BRACKETS.sub("", gist) if len(gist) > _LONG else gist


def _likeness_line(result: Result | None) -> None:
    """What the change is like, and beside it how the picture below is to be read."""
    gist = likeness_gist(result)
    with st.container(horizontal=True, vertical_alignment="center", key="likeness"):
        with st.container(horizontal=True, vertical_alignment="center", key="gist"):
            # Also where nothing is known, so that what stands beside it keeps its place.
            st.markdown(f":gray[{sentence_text(gist)}]" if gist else "&nbsp;", width="content")
            if gist:
                st.markdown("[What this may mean](#inferred)", width="content")
        how_to_read("heatmap")


def differences_of(comparison: Comparison, changes: ChangeTable) -> tuple[LinkedEntry, ...]:
    """The few things that differ first: of how both are built, and of their weights."""
    structure = list(structure_entries(comparison))
    weights = [
        _entry(difference, _weights_heading(changes), _cell_link(difference))
        for difference in (weight_differences(changes) if _any_statistics(changes) else ())
    ]
    beside = tuple(companion_entries(comparison))
    most = _MOST_ENTRIES - len(beside)
    shown = structure[: most - min(2, len(weights))]
    return (*shown, *weights[: most - len(shown)], *beside)


def companion_entries(comparison: Comparison) -> Iterator[LinkedEntry]:
    """What differs beside the weights, as one entry of a list; none where nothing does."""
    if different := comparison.differing_companions.different:
        yield _beside(different, "differs" if len(different) == 1 else "differ")


def one_sided_entries(comparison: Comparison) -> Iterator[LinkedEntry]:
    """What of that one side alone is known to have, an entry for each side."""
    for side, names in one_sided_companions(comparison):
        yield _beside(names, f"of {side}")


def one_sided_companions(comparison: Comparison) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The side, and what lies beside its weights alone, by name."""
    found = comparison.differing_companions
    for side, names in (("base", found.only_base), ("target", found.only_target)):
        if names:
            yield side, names


def _beside(names: Sequence[str], value: str) -> LinkedEntry:
    return LinkedEntry(
        "structure",
        _sentence_case(enumeration(names)),
        value,
        "Not in the weights, and can change how the model behaves.",
        Link("pages/beyond.py", link_query()),
        "Beyond the weights",
    )


def _sentence_case(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def saved_differences(result: Result) -> tuple[LinkedEntry, ...]:
    """The same of a saved result whose models are not here."""
    heading = _weights_heading(result.changes)
    entries = [
        _entry(each, heading, _cell_link(each, "pages/result.py"))
        for each in weight_differences(result.changes)
    ]
    return tuple(entries[:_MOST_ENTRIES])


def _any_statistics(changes: ChangeTable) -> bool:
    return any(change.statistics is not None for change in changes)


def _weights_heading(changes: ChangeTable) -> str:
    compared = [change for change in changes if change.statistics is not None]
    moved = sum(c.statistics is not None and c.statistics.unchanged_pct != 100 for c in compared)
    who = "all" if moved == len(compared) else f"{moved:,} of"
    so_far = " so far" if any(change.waiting for change in changes) else ""
    return f"Weights: {who} {counted(len(compared), 'tensor')} moved{so_far}"


def _cell_link(difference: MainDifference, page: str = "pages/heatmap.py") -> Link:
    return Link(page, link_query(layer=difference.layer, component=difference.column))


def _entry(difference: MainDifference, heading: str, link: Link) -> LinkedEntry:
    return LinkedEntry(
        difference.kind, difference.title, difference.value, difference.note, link, heading
    )


def coverage_words(result: Result) -> tuple[str, str]:
    """How much of a pair was measured: a sign, and sentences."""
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
    floor = coarsest_step(changes)
    if floor is not None and floor >= 0.01:
        text += f" Floor {floor:.2g} %: no stored value can move by less."
    header = result.header
    text += f" Measured on {header.device} in {format_duration(header.seconds)}."
    return "✓" if whole else "!", text


def _coverage_line(result: Result, *, linked: bool = True) -> None:
    sign, text = coverage_words(result)
    link = Link("pages/architecture.py", link_query(rows="every"))
    label = "Which?" if linked and sign == "!" else ""
    linked_line(sign, "", text, label, link, key="coverage")
