"""The way in: every request passes the entrypoint, also a deep link on a server just started.

A folder called ``pages`` beside the entrypoint is also Streamlit's old convention for several
pages. Until somebody has opened ``/`` once, a request for ``/heatmap`` runs ``pages/heatmap.py``
alone: no page config, no sidebar. So each page begins with ``enter``, which leads such a request
through the entrypoint and, with its query untouched, back to the page that was wanted.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import Page

ENTRYPOINT = "streamlit_app.py"
_ENTERED = "entered"
WANTED = "wanted"
"""Where in the session a page and its query wait while the entrypoint runs first."""


def enter(page: str) -> None:
    """First statement of a page: go on only if the entrypoint has run for this session."""
    if _ENTERED not in st.session_state:
        st.session_state[WANTED] = (page, st.query_params.to_dict())
        st.switch_page(ENTRYPOINT)


def lead_back(pages: Mapping[str, Page]) -> None:
    """In the entrypoint, after ``st.navigation``: mark the session and return a deep link."""
    st.session_state[_ENTERED] = True
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None:
        page, query = wanted
        st.switch_page(pages[page], query_params=query)
