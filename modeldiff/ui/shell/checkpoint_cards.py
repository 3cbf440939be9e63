"""Base and target in a card each: what their headers and configs say at a glance."""

from __future__ import annotations

import streamlit as st

from modeldiff.model import Model
from modeldiff.ui.session.opening import NotOpened, Side
from modeldiff.ui.shell.set_chooser import offer_choices
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.markdown import code, plain

_FACTS = (
    "parameters",
    "layers",
    "hidden_size",
    "intermediate_size",
    "attention",
    "vocabulary",
    "context",
    "stored_types",
    "checkpoint_bytes",
)


def checkpoint_cards(base: Side, target: Side) -> None:
    """Draw both beside each other; in the stead of one that could not be opened, why not."""
    for role, side, column in zip(("Base", "Target"), (base, target), st.columns(2), strict=True):
        with column:
            if isinstance(side, NotOpened):
                show_error(side.error, about=f"{role} cannot be opened.")
                offer_choices(role, side)
            else:
                _card(role, side)


def _card(role: str, side: Model) -> None:
    checkpoint, architecture = side.checkpoint, side.architecture
    with st.container(border=True, height="stretch"):
        st.subheader(f":gray[{role} ·] {plain(architecture.title)}", anchor=False)
        st.markdown(code(side.text))
        facts = {fact.key: fact for fact in architecture.facts}
        lines = {plain(facts[key].label): plain(facts[key].text) for key in _FACTS if key in facts}
        st.table(lines, border="horizontal")
        for warning in checkpoint.warnings:
            st.warning(plain(warning), icon=":material/warning:")
