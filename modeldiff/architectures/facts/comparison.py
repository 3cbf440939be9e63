"""The facts of two architectures, side by side."""

from __future__ import annotations

from modeldiff.architectures.architecture import Architecture, Fact, FactPair
from modeldiff.architectures.facts.config_entries import compare_entries
from modeldiff.architectures.facts.meanings import meaning_of
from modeldiff.architectures.facts.one_sided import RESTS_ON, absence_is_told
from modeldiff.architectures.graph.columns import merge_columns


def compare_facts(base: Architecture, target: Architecture) -> tuple[FactPair, ...]:
    """Every fact of either side, in one order; a side that has none is None.

    Two facts are the same when their values are. Each difference carries one sentence on what it
    means, seen from the base. After the facts come the configs' entries that differ and that no
    fact tells.
    """
    before = {fact.key: fact for fact in base.facts}
    after = {fact.key: fact for fact in target.facts}
    pairs = []
    for key in merge_columns(tuple(before), tuple(after)):
        ours, theirs = before.get(key), after.get(key)
        same = ours is not None and theirs is not None and _same(ours, theirs)
        meaning = "" if same else meaning_of(ours, theirs, (base, target))
        labels = (fact.label for fact in (ours, theirs) if fact is not None)
        rests_on = RESTS_ON.get(key, key)
        told = _is_told(before.get(rests_on), after.get(rests_on), (base, target))
        pairs.append(FactPair(key, next(labels), ours, theirs, same, meaning, told))
    return (*pairs, *compare_entries(base.entries, target.entries, pairs))


def _is_told(
    base: Fact | None, target: Fact | None, whose: tuple[Architecture, Architecture]
) -> bool:
    """Whether both values are known, or that a side has none."""
    return (base is None) == (target is None) or absence_is_told(base, target, whose)


def _same(base: Fact, target: Fact) -> bool:
    return type(base.value) is type(target.value) and base.value == target.value
