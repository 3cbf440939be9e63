"""The page Compare, for a pair with weights and for one of configs."""

from __future__ import annotations

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.ui.compare.config_pair import config_pair
from modeldiff.ui.compare.first_screen import first_screen
from modeldiff.ui.compare.numbers import numbers
from modeldiff.ui.controls.diff_progress import DiffState, follow
from modeldiff.ui.shell.first_visit import first_visit
from modeldiff.ui.widgets.markdown import plain


def compare_view(comparison: Comparison) -> None:
    """Draw the page below its head."""
    first_visit()
    sides = {side.reference: side for side in (comparison.base, comparison.target)}
    for side in sides.values():
        # That a config has no weights is said once, by the page.
        for warning in side.checkpoint.warnings if side.has_weights else ():
            st.caption(f":material/warning: {plain(side.name)}: {plain(warning)}")
    if comparison.same_content and comparison.has_weights:
        st.caption("Both references hold the same files: their fingerprints are equal.")
    if not comparison.has_weights:
        config_pair(comparison)
        return

    def draw(state: DiffState) -> None:
        with st.container(key="live"):
            first_screen(comparison, state)
        if state.result is not None:
            numbers(comparison.names_text, state.result, comparison)

    follow(comparison, draw)
