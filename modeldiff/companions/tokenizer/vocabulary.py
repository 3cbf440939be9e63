"""Two vocabularies, row by row: which tokens stayed, came, went, moved or got a name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from modeldiff.checkpoints import Tokens
from modeldiff.processes.late_dataclass import dataclass


class TokenChange(NamedTuple):
    """One token that is not what it was: its ``text``, made visible, and its row on each side.

    ``instead_of`` is what the row was called before, where it had a name that was reserved.
    """

    text: str
    base: int | None
    target: int | None
    instead_of: str = ""


@dataclass(frozen=True)
class VocabularyDifference:
    """What became of the tokens, each in one of the lists, in the order of its rows.

    ``shared`` counts those with the same text in the same row. ``named`` had a reserved name on
    one side and have another text on the other, in the same row; ``renumbered`` are on both sides,
    in other rows; ``added`` and ``removed`` on one side alone. ``roles`` stayed where they are, but
    are special on one side alone. Texts are compared as people read them, so that ``Ġthe`` of one
    kind of tokenizer and ``▁the`` of another are the same.
    """

    shared: int
    named: tuple[TokenChange, ...]
    added: tuple[TokenChange, ...]
    removed: tuple[TokenChange, ...]
    renumbered: tuple[TokenChange, ...]
    roles: tuple[TokenChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether every token is in its row, in its role."""
        lists = (self.named, self.added, self.removed, self.renumbered, self.roles)
        return not any(lists)

    @property
    def shift(self) -> int | None:
        """By how many rows the renumbered ones moved, where it is the same for all of them."""
        shifts = {(each.target or 0) - (each.base or 0) for each in self.renumbered}
        return shifts.pop() if len(shifts) == 1 else None


def compare_vocabularies(base: Tokens, target: Tokens) -> VocabularyDifference:
    """What became of the tokens of ``base`` in ``target``."""
    # One row after the other: a file of a hundred bytes can name a token in row two million.
    changed: list[tuple[int, str | None, str | None]] = []
    shared = 0
    for row, (before, after) in enumerate(zip_longest(base.texts, target.texts)):
        if before != after:
            changed.append((row, before, after))
        elif before is not None:
            shared += 1
    before_at: dict[str, int] = {}
    after_at: dict[str, int] = {}
    for row, before, after in changed:
        if before is not None:
            before_at.setdefault(before, row)
        if after is not None:
            after_at.setdefault(after, row)
    named, added, removed, renumbered = [], [], [], []
    for row, before, after in changed:
        moves_away, comes_from = before in after_at, after in before_at
        if before is not None and after is not None and not moves_away and not comes_from:
            reserved = (base.role(row) == "reserved", target.role(row) == "reserved")
            if reserved[0] != reserved[1]:
                named.append(TokenChange(after, row, row, before))
                continue
        if before is not None and not moves_away:
            removed.append(TokenChange(before, row, None))
        if after is not None and not comes_from:
            added.append(TokenChange(after, None, row))
        if before is not None and moves_away and before_at[before] == row:
            renumbered.append(TokenChange(before, row, after_at[before]))
    return VocabularyDifference(
        shared,
        tuple(named),
        tuple(added),
        tuple(removed),
        tuple(renumbered),
        tuple(_other_roles(base, target)),
    )


def _other_roles(base: Tokens, target: Tokens) -> Iterator[TokenChange]:
    # A token of one text has two roles only where one side lists it apart from its vocabulary.
    for row in sorted(base.added ^ target.added):
        text = base.text(row)
        if text is not None and text == target.text(row) and base.role(row) != target.role(row):
            yield TokenChange(text, row, row)
