"""One line for who has never been here: what this is, and where help is."""

from __future__ import annotations

import streamlit as st

from modeldiff.ui.session.selected_pair import PairChoice, pair_choice
from modeldiff.ui.shell.guided_tour import start_tour

_DONE = "visited"


def first_visit() -> None:
    """Draw the line from the first run of a session, if no link led here, until it was read or
    another pair is chosen: then it is known."""
    if st.session_state.setdefault(_DONE, bool(st.query_params)):
        return
    if pair_choice() != PairChoice():
        _seen()
        return
    with st.container(horizontal=True, vertical_alignment="center", key="first_visit"):
        st.caption(
            "modeldiff compares two checkpoints of a language model: which weights moved, how far, "
            "and where. This is a demo pair; choose your own under **Pair**.",
            width="content",
        )
        st.button("Take a tour", key="tour_start", type="tertiary", on_click=_tour)
        st.button("Got it", key="seen", type="tertiary", on_click=_seen)


def _seen() -> None:
    st.session_state[_DONE] = True


def _tour() -> None:
    _seen()
    start_tour()
