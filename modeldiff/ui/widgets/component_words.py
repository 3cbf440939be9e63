"""What a component of the app's own said last."""

from __future__ import annotations

from typing import Any

import streamlit as st


def last_word(component: str, name: str) -> Any:
    """For callbacks: what the component of this key said last under ``name``. None where the
    server has forgotten the component: it does so when the browser asks for another page, until
    the component is drawn there, and calls its callbacks all the same."""
    return (st.session_state.get(component) or {}).get(name)
