"""The reading of a diff: what the numbers say, and apart from it what they may mean."""

from __future__ import annotations

import streamlit as st

from modeldiff.results import Reading, Result, read_changes
from modeldiff.ui.widgets.markdown import plain


def reading_panel(result: Result) -> None:
    """Draw the reading of a result: the headline, the facts, and beside them the inference."""
    reading = _reading(result.key, result)
    st.markdown(f"**{_text(reading.headline)}**")
    _facts_and_inference(reading)


def short_reading(result: Result) -> None:
    """Draw the headline and the inference's gist, with all the rest to be opened."""
    reading = _reading(result.key, result)
    st.markdown(f"**{_text(reading.headline)}** {' '.join(map(_text, reading.inference[:1]))}")
    with st.expander("Facts, and what they may mean", icon=":material/notes:"):
        _facts_and_inference(reading)


def _facts_and_inference(reading: Reading) -> None:
    says, means = st.columns([3, 2], gap="medium")
    with says:
        st.markdown("\n".join(f"- {_text(sentence)}" for sentence in reading.facts))
    if reading.inference:
        with means, st.container(border=True, key="inference"):
            st.caption("What the numbers may mean")
            for sentence in reading.inference:
                st.markdown(_text(sentence))


def _text(sentence: str) -> str:
    """As Markdown that stands for itself; a number and its unit stay on one line."""
    return plain(sentence).replace(" \\%", "\N{NO-BREAK SPACE}\\%")


@st.cache_resource(max_entries=32, show_spinner=False)
def _reading(key: str, _result: Result) -> Reading:
    """The reading, found again by the result's key. It is frozen, and so shared and not copied."""
    del key
    return read_changes(_result.changes)
