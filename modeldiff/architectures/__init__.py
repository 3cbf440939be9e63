"""UNDERSTAND: names, shapes and config → facts, blocks, places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldiff.architectures.architecture import (
    Architecture,
    Fact,
    FactPair,
    LayerKind,
    Node,
    Sublayer,
)
from modeldiff.architectures.place import Parameter, Place
from modeldiff.architectures.understand import understand
from modeldiff.processes.late_names import late_names

if TYPE_CHECKING:
    from modeldiff.architectures.facts.comparison import compare_facts
    from modeldiff.architectures.glossary.explain import Explanation, explain

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

__getattr__ = late_names(
    __name__,
    {"facts.comparison": ("compare_facts",), "glossary.explain": ("Explanation", "explain")},
)
