"""Makers of sentences on a difference between two facts: what many facts' meanings share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modeldiff.architectures.architecture import Architecture, Fact
from modeldiff.text.magnitudes import times

Meaning = Callable[[Fact, Fact, Architecture, Architecture], str]
"""Base's fact, the target's, and both architectures → one sentence, "" for none."""


def number(fact: Fact | None) -> float | None:
    """The fact's value where it is a positive number."""
    value = fact.value if fact is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number in JSON may be longer than any float
        return None


def positive_numbers(base: Fact, target: Fact) -> tuple[float, float] | None:
    """Both sides' values where both are positive numbers."""
    before, after = number(base), number(target)
    return (before, after) if before is not None and after is not None else None


def compared(template: str, words: str = "large larger smaller") -> Meaning:
    """A sentence around how the number changed; ``{times}`` says by how much, in these words."""

    def meaning(base: Fact, target: Fact, *_: Architecture) -> str:
        both = positive_numbers(base, target)
        sentence = template.format(times=times(*both, words)) if both else ""
        return sentence[:1].upper() + sentence[1:]

    return meaning


def by_value(sentences: Mapping[object, str]) -> Meaning:
    """A sentence for what the target has."""

    def meaning(_base: Fact, target: Fact, *_: Architecture) -> str:
        return sentences.get(target.value, "")

    return meaning


def bias(where: str) -> Meaning:
    """A sentence on a bias that is there, or is not; ``where`` is a plural."""
    return by_value(
        {
            True: f"{where} have a bias.",
            False: f"{where} have no bias.",
        }
    )
