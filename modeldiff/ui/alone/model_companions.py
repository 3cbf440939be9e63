"""What lies beside one model's weights: its tokenizer, its configs, its card; and a text as the
tokenizer cuts it."""

from __future__ import annotations

import streamlit as st

from modeldiff.architectures import Fact
from modeldiff.findings.companions import CompanionPart, describe_companions
from modeldiff.model import Model
from modeldiff.ui.companions.companions_view import PART_TERMS
from modeldiff.ui.companions.tokenizer_view import text_in_tokens
from modeldiff.ui.session.opening import compare_sides
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.markdown import breakable, plain


def model_companions(model: Model) -> None:
    """Draw them, each with its facts."""
    comparison = compare_sides(model, model)
    assert comparison is not None
    with st.spinner("Reading tokenizer, template and card …"):
        companions = comparison.companions
    parts = describe_companions(companions, comparison.facts)
    for part in parts:
        if part.is_absent:
            continue
        st.header(part.title, anchor=False, help=PART_TERMS[part.key])
        _facts(part)
        if part.key == "tokenizer":
            for problem in companions.tokenizer.base.problems:
                st.warning(plain(problem), icon=":material/warning:")
            text_in_tokens(comparison, alone=True)
    absent = [part.title for part in parts if part.is_absent]
    if absent:
        st.caption(f"Not found: {', '.join(absent)}.")


def _facts(part: CompanionPart) -> None:
    facts: list[Fact] = [pair.base for pair in part.facts if pair.base is not None]
    if facts:
        st.table(
            {
                "Fact": [f"**{plain(fact.label)}**" for fact in facts],
                "Value": [plain(breakable(fact.text)) for fact in facts],
            },
            border="horizontal",
            hide_index=True,
            alt=part.title,
        )
        rows = [(fact.label, fact.text) for fact in facts]
        copy_menu((part.title,), ("Fact", "Value"), rows, key=f"copy_{part.key}")
