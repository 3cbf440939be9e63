"""Beside each picture, to be opened: how it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
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
_ARCHITECTURE = (
    "Both models as one block each, data running upward: what differs is marked, and named beside "
    "it. Below them every fact of both; **≠** marks what is not the same, with what that means for "
    "who runs the model.\n\n"
    "- **Where the parameters sit**: how many of them each part of a model holds.\n"
    "- **Tensors**: what is stored, place by place. Layers that are built alike are one group; a "
    "`*` in a name stands for each of their numbers.\n\n"
    "Where config and tensors contradict each other, the tensors are believed."
)
_EVOLUTION = (
    "Models in a row, in the order that you choose, each as the stack that a token passes through, "
    "upward. Each is compared with the one before it:\n\n"
    "- what is **new** (another mechanism, such as RoPE for learned positions) and what is only "
    "**another size** have colours of their own, which the key explains;\n"
    "- the card below says it in words, with all else that changed.\n\n"
    "It is about how models are built: what their weights learnt is on the other pages."
)
_BEYOND = (
    "Weights are half of what a model does. Here is what else is in both folders: which tokens "
    "there are, how a text becomes tokens, how a conversation becomes a text, and what the configs "
    "set. **≠** marks a part that differs.\n\n"
    "- **Tokens** have numbers, and a number is a row of the embedding: a token with another "
    "number is another row.\n"
    "- **The same conversation in both**: what the model is really given. A line with **−** is the "
    "base's alone, one with **+** the target's.\n\n"
    "A file that could not be read is named, and nothing is said of what is in it."
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
