"""The explanations' words: a text for each component and operation of the skeleton."""

from __future__ import annotations

from modeldiff.architectures.words.attention import ATTENTION
from modeldiff.architectures.words.mixer import MIXER
from modeldiff.architectures.words.mlp import MLP
from modeldiff.architectures.words.outside import OUTSIDE
from modeldiff.architectures.words.text import Text

EXPLAINED: dict[str, Text] = {**OUTSIDE, **ATTENTION, **MIXER, **MLP}
