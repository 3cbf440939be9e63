"""Pairs dealt out to those who measure them, each of whom can work out the plan alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from modeldiff.changes.change import Pair
from modeldiff.errors import InvalidOption

MOST_SHARDS = 100_000
"""More than any batch system gives an array of jobs."""


@dataclass(frozen=True, order=True)
class Shard:
    """The ``number``-th of ``count`` shards of a diff, counted from 1.

    Raises ``InvalidOption`` for numbers that make no shard.

    >>> str(Shard.parse("3/8"))
    '3/8'
    """

    count: int
    number: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise InvalidOption(
                f"There is no shard {self}.",
                hint=f"Say I/N with 1 <= I <= N <= {MOST_SHARDS:,}, such as 3/8.",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that ``text`` (``I/N``) names. Raises ``InvalidOption`` where it names none."""
        match = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None:
            raise InvalidOption(
                f"{text!r} names no shard.", hint="Say I/N, such as 3/8: the third of eight."
            )
        return cls(number=int(match[1]), count=int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def plan_shards(pairs: Sequence[Pair], n: int) -> tuple[tuple[Pair, ...], ...]:
    """The pairs in ``n`` runs of neighbours, of about as many bytes to read each.

    Put one after the other the runs are ``pairs`` again, so that each reads few files, and from
    front to back. A run takes pairs for as long as that brings it closer to an equal share of the
    bytes that are left, so none exceeds its share by more than half of its last pair. A pair is
    never cut, hence runs may be empty. Equal pairs give an equal plan, on every machine.

    Raises ``InvalidOption`` unless ``1 <= n <= MOST_SHARDS``.
    """
    Shard(number=n, count=n)
    shards: list[tuple[Pair, ...]] = []
    left = sum(pair.nbytes for pair in pairs)
    first = 0
    for others in reversed(range(1, n)):
        taken, end = 0, first
        while end < len(pairs) and _closer(taken, pairs[end].nbytes, left, others + 1):
            taken += pairs[end].nbytes
            end += 1
        shards.append(tuple(pairs[first:end]))
        left -= taken
        first = end
    return (*shards, tuple(pairs[first:]))


def _closer(taken: int, nbytes: int, left: int, shards: int) -> bool:
    """Whether a run of ``taken`` bytes is nearer to its share of ``left`` with ``nbytes`` more;
    the first pair is always taken. In whole numbers, so that no rounding moves a border."""
    return not taken or (2 * taken + nbytes) * shards <= 2 * left
