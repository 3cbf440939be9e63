"""Where a reference names several things, each as a button that takes it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from modeldiff.checkpoints import parse_reference
from modeldiff.errors import CheckpointError, ModeldiffError
from modeldiff.ui.session.opening import NotOpened
from modeldiff.ui.session.selected_pair import choose_pair, pair_choice
from modeldiff.ui.widgets.markdown import plain

_MOST_BUTTONS = 24


def offer_choices(role: str, side: NotOpened) -> None:
    """Draw what ``side`` (of the pair its ``role``: Base, Target) may mean, if its error says so: a
    set of weights by its tag, a folder by its path."""
    if not isinstance(side.error, CheckpointError) or not side.error.choices:
        return
    try:
        reference = parse_reference(side.text)
    except ModeldiffError:
        return
    field = role.lower()
    choices = side.error.choices
    with st.container(horizontal=True, key=f"{field}_choices"):
        for number, ending in enumerate(choices[:_MOST_BUTTONS]):
            st.button(
                plain(ending[1:]),
                key=f"{field}_choice_{number}",
                on_click=_take,
                args=(field, reference.choosing(ending)),
            )
    if len(choices) > _MOST_BUTTONS:
        st.caption(f"and {len(choices) - _MOST_BUTTONS:,} more: type the one you want.")


def _take(field: str, reference: str) -> None:
    choose_pair(replace(pair_choice(), **{field: reference}))  # type: ignore[arg-type]
