"""Two cards' metadata in words: what the authors say, which nobody checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.companions.card import ModelCard
from modeldiff.findings.companions.part import (
    CompanionPart,
    FactMaker,
    entries_words,
    known_of,
    only,
    side_alone,
    some,
)

_MAKE = FactMaker("card")
_FIRST = (
    "base_model",
    "base_model_relation",
    "license",
    "license_name",
    "pipeline_tag",
    "language",
)
"""Entries that are shown before the others."""


def card_part(companions: Companions) -> CompanionPart:
    """What both cards say in their metadata."""
    base, target = companions.cards
    alone = side_alone(base.exists, target.exists)
    facts = known_of(alone, _facts(base, target))
    notes = tuple(
        f"{name}: {problem}"
        for name, side in (("Base", base), ("Target", target))
        for problem in side.problems
    )
    sentences = tuple(_sentences(base, target, facts))
    return CompanionPart("card", "Model card", sentences, facts, notes, alone)


def _sentences(base: ModelCard, target: ModelCard, facts: Sequence[FactPair]) -> Iterator[str]:
    if not base.exists and not target.exists:
        yield "Neither side has a model card."
        return
    made_from = target.entries.get("base_model")
    if made_from:
        yield f"According to its card, the target was made from {some(made_from)}."
    if alone := side_alone(base.exists, target.exists):
        yield only(alone, "a model card")
        return
    if not base.entries and not target.entries:
        yield "Neither card has metadata."
        return
    different = [fact for fact in facts if not fact.same]
    if not different:
        yield "The cards' metadata is the same."
        return
    verb = "differs" if len(different) == 1 else "differ"
    names = some(fact.label for fact in different)
    yield f"{entries_words(len(different))} of the cards {verb}: {names}."
    if any(fact.key == "card.license" for fact in different):
        yield "The licence differs."


def _facts(base: ModelCard, target: ModelCard) -> Iterator[FactPair]:
    names = dict.fromkeys((*_FIRST, *base.entries, *target.entries))
    for name in names:
        before, after = base.entries.get(name), target.entries.get(name)
        if before is None and after is None:
            continue
        yield _MAKE.pair(
            name,
            name,
            some(before, 12) if before else None,
            some(after, 12) if after else None,
            same=before == after,
            meaning=_meaning(name, before, after),
            source="README.md",
        )


def _meaning(name: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> str:
    if name == "base_model" and after:
        return f"The target's card says that it was made from {some(after)}."
    if name in ("license", "license_name"):
        return "Other terms of use apply."
    if before and after and max(len(before), len(after)) > 1:
        more = [each for each in after if each not in before]
        fewer = [each for each in before if each not in after]
        words = [f"added {some(more)}"] if more else []
        words += [f"removed {some(fewer)}"] if fewer else []
        return f"{', '.join(words).capitalize()}." if words else "The same in another order."
    if before is None:
        return "Not in the base's card."
    return "Not in the target's card." if after is None else ""
