"""The pair that is chosen in the sidebar, opened."""

from __future__ import annotations

import streamlit as st

from modeldiff.ui.session.opened_pair import Comparison, Opened, Side, open_side
from modeldiff.ui.session.presets import PRESETS

BASE, TARGET, DEVICE = "base", "target", "device"
"""Keys of the sidebar's widgets, and so their names in the URL."""

DEFAULT = PRESETS[0]


def chosen_sides() -> tuple[Side, Side]:
    """Base and target, each opened or with the reason why not."""
    return open_side(st.session_state[BASE]), open_side(st.session_state[TARGET])


def chosen_comparison() -> Comparison | None:
    """The comparison of the two; None where a side could not be opened."""
    base, target = chosen_sides()
    if isinstance(base, Opened) and isinstance(target, Opened):
        return Comparison(base, target, st.session_state[DEVICE])
    return None
