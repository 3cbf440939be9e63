"""All companions of a pair, one after the other: what differs and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from modeldiff.architectures import FactPair
from modeldiff.comparison import Comparison
from modeldiff.findings.companions import (
    CompanionPart,
    PartKey,
    companions_headline,
    describe_companions,
)
from modeldiff.ui.architecture.fact_table import facts_side_by_side
from modeldiff.ui.companions.template_view import template_view
from modeldiff.ui.companions.tokenizer_view import tokenizer_view
from modeldiff.ui.widgets.markdown import plain

_DETAILS: Mapping[PartKey, Callable[[Comparison], None]] = {
    "tokenizer": tokenizer_view,
    "template": template_view,
}
_LINK = re.compile(r"([_/.|-])(?=\w)")
_NOTES: Mapping[PartKey, str] = {
    "generation": "How the model writes unless whoever runs it says otherwise.",
    "card": "What the authors say of the model in its README.md. Nobody checked it.",
}


def companions_view(comparison: Comparison) -> None:
    """Draw the headline, then each part with its facts."""
    with st.spinner("Reading tokenizers, templates and cards …"):
        companions = comparison.companions
    parts = describe_companions(companions, comparison.facts)
    st.markdown(f"**{plain(companions_headline(parts))}**")
    for part in parts:
        if not part.is_absent:
            _part(part)
            if part.key in _DETAILS:
                _DETAILS[part.key](comparison)
    absent = [part.sentences[0] for part in parts if part.is_absent]
    if absent:
        st.header("Not there", anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in absent))


def _part(part: CompanionPart) -> None:
    mark = ":orange[**≠**] " if part.differs else ""
    st.header(f"{mark}{part.title}", anchor=False)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in part.sentences))
    for note in part.notes:
        st.warning(plain(note), icon=":material/warning:")
    if part.key in _NOTES and part.facts:
        st.caption(_NOTES[part.key])
    different = [fact for fact in part.facts if not fact.same]
    same = [fact for fact in part.facts if fact.same]
    if different:
        _table(different, f"{part.title}: what differs")
    if same:
        with st.expander(f"The same in both: {len(same)}"):
            _table(same, f"{part.title}: the same in both")


def _table(facts: Sequence[FactPair], alt: str) -> None:
    facts_side_by_side(list(map(_breakable, facts)), sources=False, alt=alt)


def _breakable(pair: FactPair) -> FactPair:
    """The pair with values that a narrow column can break within: names of tokens and of entries
    have no blanks."""
    base, target = (
        replace(side, text=_LINK.sub("\\1\N{ZERO WIDTH SPACE}", side.text)) if side else None
        for side in (pair.base, pair.target)
    )
    return replace(pair, base=base, target=target)
