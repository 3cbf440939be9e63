"""Two models of which one at least has no weights here: what differs in how they are built, said
once, with the picture of the one idea behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st

from modeldiff.architectures import Fact, FactPair
from modeldiff.architectures.facts.alike import how_many_differ, own_facts
from modeldiff.architectures.facts.diagram_anchors import is_of_size, value_in_brief
from modeldiff.architectures.facts.lineage import telling
from modeldiff.comparison import Comparison
from modeldiff.drawings import CSS_PALETTE
from modeldiff.drawings.comparison.rope_turns import read_turns, rope_turns_svg
from modeldiff.findings.architecture_headline import architecture_headline
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.findings.words import enumeration
from modeldiff.text.formatting import format_bytes
from modeldiff.ui.compare.first_screen import same_line
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.linked_html import Link, linked_line
from modeldiff.ui.widgets.markdown import plain, with_units
from modeldiff.ui.widgets.scrollable_svg import scrolled_drawing

_LOUD = 6
"""So many differences are told at once; more of them stand under a lid, sizes first."""
_OPEN = "Open a folder or a repository that holds the weights under **Pair**."


def config_pair(comparison: Comparison) -> None:
    """Draw the page below its head."""
    facts = own_facts(comparison.facts)
    with st.container(key="config_answer", gap=None):
        st.markdown(plain(architecture_headline(facts, comparison.pairs)))
        with st.container(key="likeness"):
            st.markdown(f":gray[{_how_many(facts)} {without_weights(comparison)}] {_OPEN}")
    turns = read_turns(comparison.base, comparison.target)
    if turns is None:
        _differences(comparison, facts)
    else:
        table, picture = st.columns([1.74, 1], gap="medium")
        with table:
            _differences(comparison, facts)
        with picture:
            st.subheader("RoPE: tokens for one turn", anchor=False)
            svg = rope_turns_svg(*turns, palette=CSS_PALETTE, font="inherit")
            scrolled_drawing(svg, key="rope_turns", least=0.7)
            st.caption(
                "Each rotation tells distances apart up to about one turn: the slower it turns, "
                "the further it reaches."
            )
    same_line(comparison)
    _tensors_line(comparison)
    copy_facts(comparison, architecture_headline(facts, comparison.pairs))


def without_weights(comparison: Comparison) -> str:
    """Which of the two have no weights here, and what is not known for that. Markdown."""
    lacking = [side.name for side in (comparison.base, comparison.target) if not side.has_weights]
    who = enumeration([plain(name) for name in dict.fromkeys(lacking)])
    verb = "is a config" if len(set(lacking)) == 1 else "are configs"
    return f"{who} {verb} without weights, so how far they moved is not known."


def no_weights_panel(comparison: Comparison, what: str) -> None:
    """Draw why ``what`` (Markdown) is not there, and the ways on."""
    st.markdown(f"{what} {without_weights(comparison)}")
    st.markdown(_OPEN)
    with st.container(horizontal=True):
        for page, label in (("compare", "What differs"), ("architecture", "Both architectures")):
            st.page_link(f"pages/{page}.py", label=label, query_params=link_query())


def _how_many(facts: Sequence[FactPair]) -> str:
    return f"{how_many_differ(facts) or f'All {len(facts)} facts are the same'}."


def _differences(comparison: Comparison, facts: Sequence[FactPair]) -> None:
    st.subheader("What differs", anchor=False)
    different = [pair for pair in facts if pair.differs]
    if not different:
        st.markdown("Nothing that is known of both.")
    one_sided = [pair for pair in facts if pair.one_sided]
    with st.container(key="config_differences"):
        _different(comparison, different)
        if one_sided:
            with st.expander(f"{len(one_sided)} known of one side only"):
                st.table(_columns(comparison, one_sided), border="horizontal", hide_index=True)


def _different(comparison: Comparison, different: Sequence[FactPair]) -> None:
    loud = list(telling(different))
    if len(loud) > _LOUD:
        # Ideas first: a size says little where another mechanism took its place.
        loud.sort(key=is_of_size)
    shown = loud[:_LOUD] if len(different) > _LOUD else [*loud, *_rest(different, loud)]
    rest = [*loud[len(shown) :], *_rest(different, loud)] if len(different) > _LOUD else []
    if shown:
        st.table(_columns(comparison, shown), border="horizontal", hide_index=True)
    if rest:
        with st.expander(f"{len(rest)} more"):
            st.table(_columns(comparison, rest), border="horizontal", hide_index=True)


def _rest(different: Sequence[FactPair], loud: Sequence[FactPair]) -> Iterator[FactPair]:
    keys = {pair.key for pair in loud}
    return (pair for pair in different if pair.key not in keys)


def copy_facts(comparison: Comparison, *sentences: str) -> None:
    """Draw the menu that copies these sentences, what differs, and what is known of one side
    only."""
    rows = []
    for pair in sorted(comparison.facts, key=lambda pair: pair.one_sided):
        lacking = "not known" if pair.one_sided else ""
        sides = (value_in_brief(side) if side else lacking for side in (pair.base, pair.target))
        if not pair.same:
            rows.append([pair.label, *sides])
    copy_menu(
        (comparison.names_text, *sentences), ("Fact", *comparison.names), rows, key="copy_facts"
    )


def _columns(comparison: Comparison, pairs: Sequence[FactPair]) -> dict[str, list[str]]:
    base, target = comparison.names
    if base == target:
        base, target = f"{base} (base)", f"{target} (target)"
    return {
        " ": [f"**{plain(pair.label)}**" for pair in pairs],
        plain(base): [_value(pair.base) for pair in pairs],
        plain(target): [f":blue[**{_value(pair.target)}**]" for pair in pairs],
        "What it means": [
            f":small[{with_units(plain(pair.meaning_beside_label))}]" for pair in pairs
        ],
    }


def _value(fact: Fact | None) -> str:
    return with_units(plain(value_in_brief(fact).partition(": ")[0])) if fact is not None else "–"


def _tensors_line(comparison: Comparison) -> None:
    changes = comparison.unmeasured
    others = {
        status: count
        for status, count in changes.statuses.items()
        if status not in ("compared", "tied", "buffer")
    }
    compared = changes.statuses.get("compared", 0)
    link = Link("pages/architecture.py", link_query(rows="every"))
    if others:
        parts = [f"{count:,} {STATUS_WORDS[status].counted}" for status, count in others.items()]
        same = f"{compared:,}" if compared else "none"
        text = f"{same} of the same shape in both, {', '.join(parts)}."
        linked_line("≠", "Tensors:", text, "All tensors", link, key="tensors")
    else:
        text = (
            f"{compared:,} in both, every name and shape. With the weights all of them "
            f"({format_bytes(comparison.nbytes)}) could be measured."
        )
        linked_line("=", "Same tensors:", text, "All tensors", link, key="tensors")
