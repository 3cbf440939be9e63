"""Beside each picture, to be opened: how it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

_HEATMAP = (
    "Data passes through the layers in order and, within a layer, through its components as "
    "listed. The darker a cell (in the dark theme: the "
    "lighter), the further its weights moved: its number is the **median relative change**: half "
    "of the elements moved by more.\n\n"
    "- **Floor**: the smallest step of the stored type. Where a median is below it, at least half "
    "of the elements did not move.\n"
    "- **Unrelated**: two unrelated matrices of equal scale differ by about 141 %.\n"
    "- Matrices and norms have scales of their own where one would hide the other: compare colours "
    "within a scale only.\n\n"
    "Click a cell for details."
)
_DIAGRAM = (
    "One layer as data passes through it, upward (in a slide, from left to right). The thick line "
    "is the residual stream: each token's vector, to which attention and MLP add what they "
    "compute. A box is a parameter with its shape (in → out); rounded boxes are operations "
    "without weights.\n\n"
    "After a diff each box carries a bar and a number: how far its weights moved. Click a box to "
    "read what it does. Choose a layer below to see that layer's numbers."
)
_ARCHITECTURE = (
    "Each model as one block, data running upward: what differs is marked and named. Below, every "
    "fact of both; **≠** marks a difference and says what it means in use.\n\n"
    "- **Where the parameters are**: how many of them each part of a model holds.\n"
    "- **Tensors**: what is stored, place by place. Layers that are built alike are one group; a "
    "`*` in a name stands for each of their numbers.\n\n"
    "Where config and tensors contradict each other, the tensors count."
)
_EVOLUTION = (
    "Models in a row, in the order you choose, each drawn as the stack that a token passes "
    "through, upward. Each is compared with the one before it:\n\n"
    "- what is **new** (another mechanism, such as RoPE for learned positions) and what is only "
    "**another size** have colours of their own, which the key explains;\n"
    "- the card below lists it with all other changes.\n\n"
    "This is about architecture only; the other pages are about weights."
)
_BEYOND = (
    "A model is more than its weights. This page compares what else is in both folders: the "
    "tokens, how text becomes tokens, how a conversation becomes text, and what the configs set. "
    "**≠** marks a part that differs.\n\n"
    "- **Tokens** have ids, and an id is a row of the embedding: a token with another id uses "
    "another row.\n"
    "- **The same conversation in both**: the text the model is given. A line with **−** is in "
    "the base only, one with **+** in the target only.\n\n"
    "A file that could not be read is named; its content is not compared."
)
GuidedPicture = Literal["heatmap", "diagram", "architecture", "evolution", "beyond"]
_TEXTS: Mapping[GuidedPicture, str] = {
    "heatmap": _HEATMAP,
    "diagram": _DIAGRAM,
    "architecture": _ARCHITECTURE,
    "evolution": _EVOLUTION,
    "beyond": _BEYOND,
}


def how_to_read(picture: GuidedPicture) -> None:
    """Draw the guide to a kind of picture."""
    with st.popover("How to read this", type="tertiary", key="how_to_read"):
        st.markdown(_TEXTS[picture])
