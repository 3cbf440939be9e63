"""The head of every page: its title, the pair, and what to mend where a side cannot be opened."""

from __future__ import annotations

import streamlit as st

from modeldiff.ui.session.opened_pair import Comparison, NotOpened, forget_openings
from modeldiff.ui.session.selected_pair import chosen_comparison, chosen_sides
from modeldiff.ui.shell.checkpoint_card import side_card
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.markdown import code


def page_head(title: str) -> Comparison:
    """Draw title and pair. Where a side is broken, say why, show the other and end the page."""
    base, target = chosen_sides()
    st.title(title, anchor=False)
    st.markdown(f"{code(base.text)} → {code(target.text)}")
    comparison = chosen_comparison()
    if comparison is not None:
        return comparison
    for role, side, column in zip(("Base", "Target"), (base, target), st.columns(2), strict=True):
        with column:
            if isinstance(side, NotOpened):
                show_error(side.error, about=f"{role} cannot be opened.")
            else:
                side_card(role, side)
    st.button("Try again", key="try_again", icon=":material/refresh:", on_click=forget_openings)
    return st.stop()
