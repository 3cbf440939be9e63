"""What the chosen models say they were made from, each a pair to compare."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from modeldiff.checkpoints.origins import Origin, origins_of
from modeldiff.model import Model
from modeldiff.ui.session.selected_pair import choose_pair, pair_choice
from modeldiff.ui.widgets.markdown import code, plain

_WORDS = {
    "card": "Its card names",
    "merge": "Its merge's recipe names",
    "config": "Its config was made from",
}
_MOST = 3


def origins_line(base: Model, target: Model) -> None:
    """Draw a line for what the target says it was made from, unless the base is one of these."""
    origins = _origins(target.reference, target.checkpoint.fingerprint, target)
    here = {base.text, base.reference, base.checkpoint.reference.location}
    if not origins or any(origin.reference in here for origin in origins):
        return
    first = origins[0]
    named = ", ".join(code(origin.reference) for origin in origins[:_MOST])
    with st.container(horizontal=True, vertical_alignment="center", key="origins"):
        st.caption(
            f"{plain(target.name)}: {_WORDS[first.source].lower()} {named}.", width="content"
        )
        for number, origin in enumerate(origins[:_MOST]):
            st.button(
                "Compare with its base" if len(origins) == 1 else f"With {plain(origin.reference)}",
                key=f"origin_{number}",
                type="tertiary",
                on_click=_take,
                args=(origin.reference,),
            )


def _take(reference: str) -> None:
    choose_pair(replace(pair_choice(), base=reference, base_label=""))


@st.cache_resource(max_entries=32, show_spinner=False)
def _origins(reference: str, fingerprint: str, _model: Model) -> tuple[Origin, ...]:
    del reference, fingerprint
    return origins_of(_model.checkpoint)
