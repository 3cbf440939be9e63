"""The reading of a diff: what the numbers say, and apart from it what they may mean."""

from __future__ import annotations

import streamlit as st

from modeldiff.results import Reading, Result, read_changes
from modeldiff.ui.text import plain


def reading_panel(result: Result) -> None:
    """Draw the reading of a result: the headline, the facts, and beside them the inference."""
    reading = _reading(result.key, result)
    st.markdown(f"**{plain(reading.headline)}**")
    says, means = st.columns([3, 2], gap="medium")
    with says:
        st.markdown(_list(reading.facts))
    if reading.inference:
        with means, st.container(border=True, key="inference"):
            st.caption("What the numbers may mean")
            for sentence in reading.inference:
                st.markdown(plain(sentence))


def _list(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


@st.cache_resource(max_entries=32, show_spinner=False)
def _reading(key: str, _result: Result) -> Reading:
    """The reading, found again by the result's key. It is frozen, and so shared and not copied."""
    del key
    return read_changes(_result.changes)
