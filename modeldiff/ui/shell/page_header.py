"""The head of every page: the pair by its names, and what to mend where a side cannot be opened."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.names import model_name
from modeldiff.comparison import Comparison
from modeldiff.model import Model
from modeldiff.ui.controls.diff_progress import begin_run
from modeldiff.ui.session.opening import Side, forget_openings
from modeldiff.ui.session.presenting import PresentedView, present_button
from modeldiff.ui.session.selected_pair import ChosenPair, pair_choice, take_for_page
from modeldiff.ui.shell.checkpoint_cards import checkpoint_cards
from modeldiff.ui.shell.guided_tour import guided_tour
from modeldiff.ui.shell.kept_result_link import kept_result_link
from modeldiff.ui.shell.origins_line import origins_line
from modeldiff.ui.shell.pair_chooser import pair_chooser, swap_button
from modeldiff.ui.widgets.copy_button import copy_button
from modeldiff.ui.widgets.markdown import plain


def page_head(alone: Callable[[Model], None], *, view: PresentedView = "facts") -> Comparison:
    """Draw the pair and its buttons, of which one presents, beginning with ``view``. Where a side
    is broken, say why, show the other and end the page. Where a model is to be seen by itself,
    ``alone`` draws it, and the page ends, too."""
    chosen = take_for_page() or begin_run()
    draw_head(chosen, view)
    if chosen.alone and isinstance(chosen.base, Model):
        alone(chosen.base)
        return st.stop()
    if chosen.comparison is not None:
        if not st.context.is_embedded:
            guided_tour()
            origins_line(chosen.comparison.base, chosen.comparison.target)
        return chosen.comparison
    checkpoint_cards(chosen.base, chosen.target)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Try again", key="try_again", icon=":material/refresh:", on_click=forget_openings)
        choice = pair_choice()
        kept_result_link(choice.base, choice.target)
    return st.stop()


def draw_head(chosen: ChosenPair, view: PresentedView) -> None:
    """Draw the names and, where the app is no part of another page, the buttons beside them."""
    sides = (chosen.base,) if chosen.alone else (chosen.base, chosen.target)
    names = [_name(side) for side in sides]
    if chosen.comparison is not None:
        names = list(chosen.comparison.names)
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        gap="small",
        key="page_head",
    ):
        title = " → ".join(plain(name) for name in names)
        st.title(title, anchor=False, width="content")
        if st.context.is_embedded:
            return
        with st.container(horizontal=True, width="content", gap="xsmall"):
            pair_chooser((_own_name(chosen.base), _own_name(chosen.target)))
            if not chosen.alone:
                swap_button()
            copy_button("Copy link", key="copy_link")
            present_button(view)


def _name(side: Side) -> str:
    return side.name if isinstance(side, Model) else side.text or "–"


def _own_name(side: Side) -> str:
    if isinstance(side, Model):
        return model_name(parse_reference(side.reference))
    return "its own name"
