"""Which page somebody sees, and for which one the browser asks.

They differ while another page is on its way. A callback that Streamlit runs then belongs to widgets
that are gone: one that was clicked in the last moment, or one whose value the server had already
forgotten, which to Streamlit looks like a change that nobody made.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_SHOWN = "shown_page"


def page_asked_for() -> str:
    """The page for which the browser asked for this run, be it of a part only; by its hash."""
    context = get_script_run_ctx()
    return "" if context is None else context.page_script_hash


def show_page() -> None:
    """Note that the page that was asked for is the one that is drawn from now on."""
    st.session_state[_SHOWN] = page_asked_for()


def is_page_left() -> bool:
    """For callbacks: whether their widgets are those of a page that the browser has left."""
    return bool(st.session_state.get(_SHOWN, page_asked_for()) != page_asked_for())
