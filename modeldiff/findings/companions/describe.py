"""All companions of a pair in words."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.findings.companions.card import card_part
from modeldiff.findings.companions.part import CompanionPart
from modeldiff.findings.companions.settings import config_part, generation_part
from modeldiff.findings.companions.template import template_part
from modeldiff.findings.companions.tokenizer import tokenizer_part
from modeldiff.findings.words import enumeration


def describe_companions(
    companions: Companions, facts: Sequence[FactPair]
) -> tuple[CompanionPart, ...]:
    """Each kind of companion in words, in one order; ``facts`` are both architectures'."""
    return (
        tokenizer_part(companions),
        template_part(companions),
        generation_part(companions),
        config_part(companions, facts),
        card_part(companions),
    )


def companions_headline(parts: Sequence[CompanionPart]) -> str:
    """Which of the ``parts`` differ, in one sentence."""
    different = [_in_sentence(part.title) for part in parts if part.differs]
    compared = [part for part in parts if part.facts]
    if not compared:
        return "There is nothing beside the weights to compare."
    if not different:
        return f"Nothing differs in {enumeration([_in_sentence(p.title) for p in compared])}."
    words = enumeration(different)
    return f"{words[:1].upper()}{words[1:]} differ{'s' if len(different) == 1 else ''}."


def _in_sentence(title: str) -> str:
    return f"{title[:1].lower()}{title[1:]}"
