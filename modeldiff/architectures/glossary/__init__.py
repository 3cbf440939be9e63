"""The explanations' words: a text for each component and operation of the skeleton."""

from __future__ import annotations

from modeldiff.architectures.glossary.attention import ATTENTION
from modeldiff.architectures.glossary.embeddings_and_head import OUTSIDE
from modeldiff.architectures.glossary.entry import Text
from modeldiff.architectures.glossary.mlp import MLP
from modeldiff.architectures.glossary.state_space import MIXER

EXPLAINED: dict[str, Text] = {**OUTSIDE, **ATTENTION, **MIXER, **MLP}
