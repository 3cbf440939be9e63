"""All companions of a pair, one after the other: what differs and what it means."""

from __future__ import annotations

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
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.markdown import breakable, plain

_DETAILS: Mapping[PartKey, Callable[[Comparison], None]] = {
    "tokenizer": tokenizer_view,
    "template": template_view,
}
PART_TERMS: Mapping[PartKey, str] = {
    "tokenizer": "Splits text into tokens; a token's id is its row in the embedding.",
    "template": "Renders a conversation as one text, with markers for who speaks. "
    "Instruction-tuned models were trained on this exact form.",
    "generation": "Sampling settings and the tokens that end a text, used unless a program "
    "overrides them.",
    "config": "What a library needs to build the model around its weights.",
    "card": "The repository's README with its metadata.",
}
"""What each part is, behind its heading."""
_NOTES: Mapping[PartKey, str] = {
    "generation": "How the model generates unless a program overrides it.",
    "card": "What the authors say of the model in its README.md. Nobody checked it.",
}


def companions_view(comparison: Comparison) -> None:
    """Draw the headline, then each part with its facts."""
    with st.spinner("Reading tokenizers, templates and cards …"):
        companions = comparison.companions
    parts = describe_companions(companions, comparison.facts)
    st.markdown(f"**{plain(companions_headline(parts))}**")
    how_to_read("beyond")
    for part in parts:
        if not part.is_absent:
            _part(part)
            if part.key in _DETAILS:
                _DETAILS[part.key](comparison)
    _copy(comparison, parts)
    absent = [part.sentences[0] for part in parts if part.is_absent]
    if absent:
        st.header("Not found", anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in absent))


def _copy(comparison: Comparison, parts: Sequence[CompanionPart]) -> None:
    """Draw the menu that copies the sentences and all that differs."""
    sentences = [f"{part.title}: {each}" for part in parts for each in part.sentences]
    rows = [
        [f"{part.title}: {fact.label}"]
        + [side.text if side else "" for side in (fact.base, fact.target)]
        for part in parts
        for fact in part.facts
        if not fact.same
    ]
    copy_menu(
        (comparison.names_text, *sentences),
        ("Fact", *comparison.names) if rows else (),
        rows,
        key="copy_companions",
    )


def _part(part: CompanionPart) -> None:
    mark = ":blue[**≠**] " if part.differs else ""
    st.header(f"{mark}{part.title}", anchor=False, help=PART_TERMS[part.key])
    # The table below says what each entry means.
    sentences = part.sentences[:1] if part.key in ("generation", "config") else part.sentences
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
    for note in part.notes:
        st.warning(plain(note), icon=":material/warning:")
    if part.key in _NOTES and part.facts:
        st.caption(_NOTES[part.key])
    different = [fact for fact in part.facts if fact.differs]
    one_sided = [fact for fact in part.facts if fact.one_sided]
    same = [fact for fact in part.facts if fact.same]
    if different:
        _table(different, f"{part.title}: what differs")
    if one_sided:
        _table(one_sided, f"{part.title}: known of one side only")
    if same:
        with st.expander(f"The same in both: {len(same)}"):
            _table(same, f"{part.title}: the same in both")


def _table(facts: Sequence[FactPair], alt: str) -> None:
    facts_side_by_side(list(map(_breakable, facts)), sources=False, alt=alt)


def _breakable(pair: FactPair) -> FactPair:
    """The pair with values that a narrow column can break within: names of tokens and of entries
    have no blanks."""
    base, target = (
        replace(side, text=breakable(side.text)) if side else None
        for side in (pair.base, pair.target)
    )
    return replace(pair, base=base, target=target)
