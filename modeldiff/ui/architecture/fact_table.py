"""Two architectures' facts side by side: what is equal stays quiet, what differs says so."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import Fact, FactPair
from modeldiff.ui.widgets.markdown import plain


def fact_table(pairs: Sequence[FactPair]) -> None:
    """Draw the facts in their own order, each difference with what it means."""
    different = [pair for pair in pairs if pair.differs]
    with st.container(horizontal=True, gap="medium"):
        only = bool(different) and st.toggle(
            "Differences only", key="facts_different", disabled=len(different) == len(pairs)
        )
        sources = st.toggle(
            "Show sources",
            key="facts_sources",
            help="The config key or stored tensor that it comes from. Where they contradict each "
            "other, the tensor counts.",
        )
    shown = different if only else pairs
    facts_side_by_side(shown, sources=sources, alt="Facts of both architectures")


def facts_side_by_side(shown: Sequence[FactPair], *, sources: bool, alt: str) -> None:
    """Draw these facts as a table that screen readers call ``alt``, on request with the
    ``sources`` that they come from."""
    st.table(
        {
            "Fact": [_label(pair) for pair in shown],
            "Base": [_value(pair.base, pair, sources=sources) for pair in shown],
            "Target": [_value(pair.target, pair, sources=sources) for pair in shown],
        },
        border="horizontal",
        hide_index=True,
        alt=alt,
    )


def _label(pair: FactPair) -> str:
    """The fact's name, and under it what the difference means: beside it, a phone has no room."""
    if pair.same:
        return f":gray[{plain(pair.label)}]"
    mark = ":blue[**≠**]" if pair.differs else ":gray[?]"
    label = f"{mark} **{plain(pair.label)}**"
    return f"{label}\n\n{plain(pair.meaning_beside_label)}" if pair.meaning else label


def _value(fact: Fact | None, pair: FactPair, *, sources: bool) -> str:
    text = plain(fact.text) if fact is not None else "–"
    text = f":gray[{text}]" if pair.same else f"**{text}**"
    if sources and fact is not None:
        text += f"\n\n:small[:gray[{plain(fact.source)}]]"
    return text
