"""Beside a picture of layers that met by content: what that means, and the other way to match."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.comparison import Comparison
from modeldiff.ui.session.selected_pair import choose_pair, pair_choice


def offer_other_matching(comparison: Comparison, changes: ChangeTable) -> None:
    """A button to compare by position where layers met by content, and back where they met by
    position because somebody asked for it; nothing where both are the same."""
    if changes.alignment:
        words, label = _example(changes), "Compare by position instead"
        way: LayerMatching = "position"
    elif comparison.layers == "position":
        words = "Layers are compared by their numbers, whatever they hold."
        label, way = "Compare by content instead", "auto"
    else:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="layer_matching"):
        st.caption(words, width="content")
        if st.button(label, key="other_matching", type="tertiary", on_click=_match, args=(way,)):
            # Another pairing is another comparison, for all of the page and what stands beside it.
            st.rerun()


def _match(way: LayerMatching) -> None:
    choose_pair(replace(pair_choice(), layers=way))


def _example(changes: ChangeTable) -> str:
    """The first layer that has another number, as an example of how to read the headings."""
    for layer in changes.merged("layer"):
        for numbers in changes.layer_numbers(layer):
            if None not in numbers and numbers.base != numbers.target:
                return (
                    f"{numbers.label}: the target's layer {numbers.target} is the base's layer "
                    f"{numbers.base}."
                )
    return "Layers that hold the same content are compared."
