"""COMPANIONS: what lies beside the weights and changes how a model behaves: tokenizer, chat
template, generation config, config and card, read and compared."""

from __future__ import annotations

from modeldiff.companions.at_a_glance import Glance, differing_at_a_glance
from modeldiff.companions.companions import Companions, compare_companions, encode_both

__all__ = [
    "Companions",
    "Glance",
    "compare_companions",
    "differing_at_a_glance",
    "encode_both",
]
