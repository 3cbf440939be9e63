"""The narrative of a diff: what the numbers say, and apart from it what they may mean."""

from __future__ import annotations

import streamlit as st

from modeldiff.findings.coverage import Unread
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.results import Result
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.markdown import plain


def reading_panel(result: Result) -> None:
    """Draw the narrative of a result: what was measured, and beside it what that may mean."""
    narrative = narrative_of(result)
    measured, inferred = st.columns(2, gap="medium")
    with measured, st.container(border=True, height="stretch", key="measured_facts"):
        st.markdown("**Measured**")
        st.markdown("\n".join(f"- {sentence_text(sentence)}" for sentence in narrative.facts))
    if narrative.likeness:
        with inferred, st.container(border=True, height="stretch", key="inference"):
            st.markdown("**Inferred**: what the numbers may mean")
            for sentence in narrative.likeness:
                st.markdown(sentence_text(sentence))


def narrative_in_short(result: Result) -> None:
    """Draw the headline and the inference's gist, with all the rest to be opened."""
    narrative = narrative_of(result)
    gist = " ".join(map(sentence_text, narrative.likeness[:1]))
    st.markdown(f"**{sentence_text(narrative.headline)}** {gist}")
    with st.expander("Facts, and what they may mean", icon=":material/notes:"):
        reading_panel(result)
        copy_menu((*narrative.facts, *narrative.likeness), key="copy_sentences")


def narrative_of(result: Result) -> Narrative:
    """The narrative of a result, kept."""
    return _narrative(result.key, result.header.unread, result)


def sentence_text(sentence: str) -> str:
    """A sentence as Markdown that stands for itself; a number and its unit stay on one line."""
    return plain(sentence).replace(" \\%", "\N{NO-BREAK SPACE}\\%")


@st.cache_resource(max_entries=32, show_spinner=False)
def _narrative(key: str, unread: Unread, _result: Result) -> Narrative:
    """The narrative, found again by the result's key and by what was not read; frozen, and so
    shared and not copied."""
    del key
    return narrate(_result.changes, unread=unread)
