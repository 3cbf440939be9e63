"""The head of every page: its title, the pair, and what to mend where a side cannot be opened."""

from __future__ import annotations

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.ui.controls.diff_progress import begin_run
from modeldiff.ui.session.opening import forget_openings
from modeldiff.ui.session.selected_pair import take_for_page
from modeldiff.ui.shell.checkpoint_cards import checkpoint_cards
from modeldiff.ui.widgets.markdown import code


def page_head(title: str) -> Comparison:
    """Draw title and pair. Where a side is broken, say why, show the other and end the page."""
    chosen = take_for_page() or begin_run()
    base, target = chosen.base, chosen.target
    st.title(title, anchor=False)
    st.markdown(f"{code(base.text)} → {code(target.text)}")
    if chosen.comparison is not None:
        return chosen.comparison
    checkpoint_cards(base, target)
    st.button("Try again", key="try_again", icon=":material/refresh:", on_click=forget_openings)
    return st.stop()
