"""Two architectures' facts side by side: what is equal stays quiet, what differs says so."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import Fact, FactPair
from modeldiff.ui.text import plain


def fact_table(pairs: Sequence[FactPair]) -> None:
    """Draw the facts in their own order, each difference with what it means."""
    columns = {
        "Fact": [_label(pair) for pair in pairs],
        "Base": [_value(pair.base, pair) for pair in pairs],
        "Target": [_value(pair.target, pair) for pair in pairs],
    }
    if not all(pair.same for pair in pairs):
        columns["What the difference means"] = [plain(pair.meaning) for pair in pairs]
    st.table(
        columns,
        border="horizontal",
        hide_index=True,
        alt="Facts of both architectures",
    )


def _label(pair: FactPair) -> str:
    return plain(pair.label) if pair.same else f":orange[**≠**] **{plain(pair.label)}**"


def _value(fact: Fact | None, pair: FactPair) -> str:
    text = plain(fact.text) if fact is not None else "–"
    return f":gray[{text}]" if pair.same else f"**{text}**"
