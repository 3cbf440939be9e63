"""What lies beside the weights as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.companions.chat.rendering import RenderedPair, Rendering
from modeldiff.companions.tokenizer.vocabulary import TokenChange, VocabularyDifference
from modeldiff.findings.companions.describe import companions_headline, describe_companions
from modeldiff.findings.companions.part import CompanionPart

MOST_TOKENS = 1_000
"""Tokens of each list in a document; ``counts`` has how many there are."""


def companions_document(companions: Companions, facts: Sequence[FactPair]) -> dict[str, Any]:
    """The ``companions`` in words and as values; ``facts`` are both architectures'.

    What one side lacks is null there. ``tokens`` is null where one side's are not known.
    """
    parts = describe_companions(companions, facts)
    difference = companions.tokenizer.vocabulary
    return {
        "headline": companions_headline(parts),
        "parts": [_part(part) for part in parts],
        "tokens": _tokens(difference) if difference is not None else None,
        "conversations": [_conversation(each) for each in companions.renderings],
    }


def _part(part: CompanionPart) -> dict[str, Any]:
    return {
        "part": part.key,
        "differs": part.differs or part.alone is not None,
        "sentences": list(part.sentences),
        "notes": list(part.notes),
        "facts": [
            {
                "fact": fact.key,
                "label": fact.label,
                "base": fact.base.text if fact.base else None,
                "target": fact.target.text if fact.target else None,
                "same": fact.same,
                "meaning": fact.meaning,
            }
            for fact in part.facts
        ],
    }


def _tokens(difference: VocabularyDifference) -> dict[str, Any]:
    lists = {
        "named": difference.named,
        "added": difference.added,
        "removed": difference.removed,
        "renumbered": difference.renumbered,
        "roles": difference.roles,
    }
    return {
        "counts": {
            "shared": difference.shared,
            **{name: len(changes) for name, changes in lists.items()},
        },
        **{name: [_token(c) for c in changes[:MOST_TOKENS]] for name, changes in lists.items()},
    }


def _token(change: TokenChange) -> dict[str, Any]:
    row = {"text": change.text, "base": change.base, "target": change.target}
    return row | {"instead_of": change.instead_of} if change.instead_of else row


def _conversation(pair: RenderedPair) -> dict[str, Any]:
    return {
        "conversation": pair.conversation.key,
        "same": pair.same,
        "base": _text(pair.base),
        "target": _text(pair.target),
    }


def _text(side: Rendering | None) -> dict[str, str | None] | None:
    return {"text": side.text, "problem": side.problem or None} if side is not None else None
