"""Beside each picture, to be opened: how it is to be read."""

from __future__ import annotations

from typing import Literal

import streamlit as st

_HEATMAP = (
    "Data passes through the layers in the order of their numbers; within a layer, through its "
    "components in the order in which they stand. The darker a cell (in the dark theme: the "
    "lighter), the further its weights moved: its number is the **median relative change**, which "
    "half of the elements exceed.\n\n"
    "- **Floor**: the smallest step of the stored type. A median below it says that most elements "
    "did not move.\n"
    "- **Unrelated**: what two matrices with nothing in common show, about 141 %.\n"
    "- Matrices and norms have scales of their own where one would hide the other: compare colours "
    "within a scale only.\n\n"
    "A click on a cell tells its story."
)
_DIAGRAM = (
    "One layer as data passes through it, upward (in a slide, from left to right). The thick line "
    "is the residual stream: each token's vector, to which attention and MLP add what they "
    "compute. A box is a parameter with its shape (in → out); rounded signs are operations without "
    "weights.\n\n"
    "After a diff each box carries a bar and a number: how far its weights moved. A click on a box "
    "says what it does; in a layer that is chosen below, the numbers are that layer's."
)
_TEXTS = {"heatmap": _HEATMAP, "diagram": _DIAGRAM}


def how_to_read(picture: Literal["heatmap", "diagram"]) -> None:
    """Draw the guide to a kind of picture."""
    with st.popover("How to read this", type="tertiary", key="how_to_read"):
        st.markdown(_TEXTS[picture])
