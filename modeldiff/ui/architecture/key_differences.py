"""How two models differ at a glance: the few differences that tell the most, with their meaning."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.diagram_anchors import in_brief
from modeldiff.architectures.facts.lineage import telling
from modeldiff.ui.widgets.markdown import plain

_MOST = 6
_ACROSS = 3


def key_differences(pairs: Sequence[FactPair]) -> None:
    """Draw a card for each of the most telling differences; nothing where there is none."""
    differences = telling(pairs)[:_MOST]
    for start in range(0, len(differences), _ACROSS):
        for pair, column in zip(differences[start:], st.columns(_ACROSS), strict=False):
            with column, st.container(border=True, height="stretch"):
                old, new = in_brief(pair)
                st.markdown(
                    f":small[:gray[{plain(pair.label)}]]  \n{plain(old)} → **{plain(new)}**  \n"
                    f":small[{plain(pair.meaning_beside_label)}]"
                )
