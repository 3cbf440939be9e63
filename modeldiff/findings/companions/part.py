"""One kind of companion in words, and the making of its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from modeldiff.architectures import Fact, FactPair
from modeldiff.architectures.architecture import FactValue
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import spelt_out

SideName = Literal["base", "target"]
SIDES: tuple[SideName, ...] = ("base", "target")
PartKey = Literal["tokenizer", "template", "generation", "config", "card"]
_LONGEST = 300


@dataclass(frozen=True)
class CompanionPart:
    """One kind of companion of both sides: its ``title``, ``sentences`` on what differs (one where
    nothing does, or there is nothing to compare), its ``facts`` side by side, and ``notes`` on what
    was not read. ``alone`` is the side of which alone such a companion is known: what it says is
    no difference."""

    key: PartKey
    title: str
    sentences: tuple[str, ...]
    facts: tuple[FactPair, ...] = ()
    notes: tuple[str, ...] = ()
    alone: SideName | None = None

    @property
    def is_absent(self) -> bool:
        """Whether neither side has anything of the kind, nor what could not be read."""
        return not self.facts and not self.notes

    @property
    def differs(self) -> bool:
        """Whether something that was read of both sides is not the same."""
        return any(fact.differs for fact in self.facts)


@dataclass(frozen=True)
class FactMaker:
    """Makes the facts of one ``part``."""

    part: PartKey

    def pair(
        self,
        name: str,
        label: str,
        base: FactValue,
        target: FactValue,
        *,
        meaning: str | Callable[[], str] = "",
        texts: tuple[str, str] | None = None,
        source: str = "",
        same: bool | None = None,
    ) -> FactPair:
        """The fact called ``name`` in this part, None where a side has none.

        ``texts`` are how both sides read, by default their values; ``same`` overrules whether the
        values are equal; ``meaning`` is of the difference, computed where there is one.
        """
        key, label = spelt_out(f"{self.part}.{name}"), _cut(label)
        texts = texts or (str(base), str(target))
        facts = [
            Fact(key, label, value, _cut(text), source) if value is not None else None
            for value, text in zip((base, target), texts, strict=True)
        ]
        if same is None:
            same = base == target
        words = "" if same else meaning if isinstance(meaning, str) else meaning()
        return FactPair(key, label, facts[0], facts[1], same, words)


def some(texts: Iterable[str], most: int = 6) -> str:
    """The first of many texts, and how many more there are."""
    every = list(texts)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}"


def tokens_words(texts: Iterable[str], most: int = 6) -> str:
    """``some`` for tokens, which may be commas themselves."""
    every = list(texts)
    more = f" · {len(every) - most:,} more" if len(every) > most else ""
    return f"{' · '.join(every[:most])}{more}"


def entries_words(count: int) -> str:
    """``1 entry``, ``12 entries``."""
    return f"{count:,} entr{'y' if count == 1 else 'ies'}"


def side_alone(base: bool, target: bool) -> SideName | None:
    """The side that alone has something, by whether ``base`` and ``target`` have it."""
    return None if base == target else "base" if base else "target"


def known_of(alone: SideName | None, facts: Iterable[FactPair]) -> tuple[FactPair, ...]:
    """The ``facts`` of a companion; where one side ``alone`` has it, those of that side as known of
    it only: what the other lacks as a whole, it does not lack entry by entry."""
    return tuple(
        replace(fact, meaning="", absence_told=False)
        if alone is not None and None in (fact.base, fact.target) and not fact.same
        else fact
        for fact in facts
    )


def only(side: SideName, what: str) -> str:
    """That it is known of one side alone: ``Only the target is known to have a chat template.``
    The other's file may be one that can't be read."""
    return f"Only the {side} is known to have {what}."


def _cut(text: str) -> str:
    """A text from a file, on one line and no longer than can be shown."""
    text = spelt_out(" ".join(text[: 2 * _LONGEST].split()))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
