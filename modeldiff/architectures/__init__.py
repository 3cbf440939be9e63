"""UNDERSTAND: names, shapes and config → facts, blocks, places."""

from __future__ import annotations

from modeldiff.architectures.architecture import (
    Architecture,
    Fact,
    FactPair,
    LayerKind,
    Node,
    Sublayer,
)
from modeldiff.architectures.facts.comparison import compare_facts
from modeldiff.architectures.glossary.explain import Explanation, explain
from modeldiff.architectures.place import Parameter, Place
from modeldiff.architectures.understand import understand

__all__ = [
    "Architecture",
    "Explanation",
    "Fact",
    "FactPair",
    "LayerKind",
    "Node",
    "Parameter",
    "Place",
    "Sublayer",
    "compare_facts",
    "explain",
    "understand",
]
