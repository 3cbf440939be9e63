"""How two architectures differ, in the one sentence to begin with."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.alike import own_facts
from modeldiff.architectures.facts.diagram_anchors import in_brief, is_of_size
from modeldiff.architectures.facts.lineage import telling
from modeldiff.architectures.facts.sentences import positive_numbers
from modeldiff.changes import Pair
from modeldiff.findings.words import MOST_NAMED, enumeration
from modeldiff.text.formatting import counted
from modeldiff.text.magnitudes import times

_APART = frozenset({"only_in_base", "only_in_target", "different_shape"})
_OF_THE_CONTEXT = frozenset({"context", "rope_scaling", "rope_theta"})


def architecture_headline(facts: Sequence[FactPair], pairs: Sequence[Pair]) -> str:
    """``Same architecture, made for texts 16 times as long.`` ``facts`` are both models' facts, and
    ``pairs`` their tensors: models whose telling facts are equal may hold others."""
    differences = telling(own_facts(facts))
    keys = {pair.key for pair in differences}
    if keys <= _OF_THE_CONTEXT and (apart := tensors_apart(pairs)):
        names = [_in_a_sentence(pair.label) for pair in differences]
        return f"Built differently: {enumeration([*names, apart])}."
    if not differences:
        unknown = any(pair.one_sided for pair in own_facts(facts))
        return f"Same architecture{', as far as it is known of both' if unknown else ''}."
    if keys <= _OF_THE_CONTEXT and (longer := _longer(differences)):
        return f"Same architecture, made for texts {longer}."
    ideas = [pair for pair in differences if not is_of_size(pair)]
    if not ideas:
        return f"Same architecture in another size: {_sizes(differences)}."
    names = [_in_a_sentence(pair.label) for pair in ideas]
    if len(names) > MOST_NAMED:
        names = [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    return f"Built differently: {enumeration(names)}."


def tensors_apart(pairs: Sequence[Pair]) -> str:
    """``5 tensors on one side alone or of another shape``; empty where there are none."""
    apart = sum(pair.status in _APART for pair in pairs)
    return f"{counted(apart, 'tensor')} on one side alone or of another shape" if apart else ""


def _longer(differences: Sequence[FactPair]) -> str:
    for pair in differences:
        if pair.key == "context" and pair.base and pair.target:
            both = positive_numbers(pair.base, pair.target)
            return times(*both, "long longer shorter") if both else ""
    return ""


def _sizes(differences: Sequence[FactPair]) -> str:
    pair = next((p for p in differences if p.key == "parameters"), differences[0])
    old, new = in_brief(pair)
    return f"{_in_a_sentence(pair.label)} {old} → {new}"


def _in_a_sentence(label: str) -> str:
    """A label in small letters, but for abbreviations and names: ``RoPE scaling``, ``layers``."""
    first = label.partition(" ")[0]
    return label if not first[1:].islower() else label[:1].lower() + label[1:]
