"""All companions of a pair in words."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.findings.companions.card import card_part
from modeldiff.findings.companions.part import SIDES, CompanionPart
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
    """Which of the ``parts`` differ, and which are known of one side only."""
    different = [_in_sentence(part.title) for part in parts if part.differs]
    both = [_in_sentence(part.title) for part in parts if part.facts and part.alone is None]
    sentences = []
    if different:
        words = enumeration(different)
        verb = "differs" if len(different) == 1 else "differ"
        sentences.append(f"{words[:1].upper()}{words[1:]} {verb}.")
    elif both:
        sentences.append(f"Nothing differs in {enumeration(both)}.")
    for side in SIDES:
        alone = [_in_sentence(p.title) for p in parts if p.alone == side and not p.differs]
        if alone:
            sentences.append(f"Known of the {side} only: {enumeration(alone)}.")
    return " ".join(sentences) or "There is nothing beside the weights to compare."


def _in_sentence(title: str) -> str:
    return f"{title[:1].lower()}{title[1:]}"
