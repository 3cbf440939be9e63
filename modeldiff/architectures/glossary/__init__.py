"""The explanations' words: a text for each component and operation of the common graph."""

from __future__ import annotations

from modeldiff.architectures.glossary.attention import ATTENTION_ENTRIES
from modeldiff.architectures.glossary.embeddings_and_head import OUTSIDE_ENTRIES
from modeldiff.architectures.glossary.entry import GlossaryEntry
from modeldiff.architectures.glossary.mlp import MLP_ENTRIES
from modeldiff.architectures.glossary.state_space import STATE_SPACE_ENTRIES

EXPLAINED: dict[str, GlossaryEntry] = {
    **OUTSIDE_ENTRIES,
    **ATTENTION_ENTRIES,
    **STATE_SPACE_ENTRIES,
    **MLP_ENTRIES,
}
