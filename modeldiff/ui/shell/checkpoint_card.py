"""One checkpoint in a card: what its headers and its config say at a glance."""

from __future__ import annotations

import streamlit as st

from modeldiff.model import Model
from modeldiff.ui.widgets.markdown import code, plain

_GLANCE = (
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


def side_card(role: str, side: Model) -> None:
    """Draw the card. ``role`` is Base or Target."""
    checkpoint, architecture = side.checkpoint, side.architecture
    with st.container(border=True, height="stretch"):
        st.subheader(f":gray[{role} ·] {plain(architecture.title)}", anchor=False)
        st.markdown(code(side.text))
        facts = {fact.key: fact for fact in architecture.facts}
        lines = {plain(facts[key].label): plain(facts[key].text) for key in _GLANCE if key in facts}
        st.table(lines, border="horizontal")
        for warning in checkpoint.warnings:
            st.warning(plain(warning), icon=":material/warning:")
