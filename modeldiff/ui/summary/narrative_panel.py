"""The narrative of a diff: what the numbers say, and apart from it what they may mean."""

from __future__ import annotations

import streamlit as st

from modeldiff.findings.coverage import Unread
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.results import Result
from modeldiff.ui.widgets.markdown import plain


def reading_panel(result: Result) -> None:
    """Draw the narrative of a result: the headline, the facts, and beside them the inference."""
    narrative = _narrative(result.key, result.header.unread, result)
    st.markdown(f"**{_text(narrative.headline)}**")
    _facts_and_inference(narrative)


def narrative_in_short(result: Result) -> None:
    """Draw the headline and the inference's gist, with all the rest to be opened."""
    narrative = _narrative(result.key, result.header.unread, result)
    st.markdown(f"**{_text(narrative.headline)}** {' '.join(map(_text, narrative.likeness[:1]))}")
    with st.expander("Facts, and what they may mean", icon=":material/notes:"):
        _facts_and_inference(narrative)


def _facts_and_inference(narrative: Narrative) -> None:
    says, means = st.columns([3, 2], gap="medium")
    with says:
        st.markdown("\n".join(f"- {_text(sentence)}" for sentence in narrative.facts))
    if narrative.likeness:
        with means, st.container(border=True, key="inference"):
            st.caption("What the numbers may mean")
            for sentence in narrative.likeness:
                st.markdown(_text(sentence))


def _text(sentence: str) -> str:
    """As Markdown that stands for itself; a number and its unit stay on one line."""
    return plain(sentence).replace(" \\%", "\N{NO-BREAK SPACE}\\%")


@st.cache_resource(max_entries=32, show_spinner=False)
def _narrative(key: str, unread: Unread, _result: Result) -> Narrative:
    """The narrative, found again by the result's key and by what was not read; frozen, and so
    shared and not copied."""
    del key
    return narrate(_result.changes, unread=unread)
