"""What was clicked on a chart, where something else can choose the same.

A chart keeps its own last click. The choice also moves without the chart: by a chooser, by a link,
by the browser's Back. The same click again would then be no change, and so go unheard; a chart
whose click is out of date gets a new key, and begins without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

Datum = Mapping[str, Any]


def chart_key(name: str, selection: str, chosen: Datum | None) -> str:
    """The key for a chart of this name that shows ``chosen``, in its selection's fields (one that
    is None may as well be left out)."""
    turn_key = f"{name}_turn"
    turn: int = st.session_state.setdefault(turn_key, 0)
    last = clicked(f"{name}_{turn}", selection)
    if last is not None and _content(last) != _content(chosen or {}):
        turn = st.session_state[turn_key] = turn + 1
    return f"{name}_{turn}"


def clicked(key: str, selection: str) -> Datum | None:
    """The datum that was clicked last; None where none was, or a double click took it back."""
    state = st.session_state.get(key)
    data = state["selection"].get(selection) if state else None
    return data[-1] if data else None


def _content(datum: Datum) -> dict[str, Any]:
    return {name: value for name, value in datum.items() if value is not None}
