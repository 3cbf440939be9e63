"""The places at which a file is read in turn, in blocks, and which of these are wanted next."""

from __future__ import annotations

from typing import NamedTuple

AHEAD = 8
"""So many blocks are asked for ahead, at most."""
_TURNS = 64
"""A place where nothing was read in so many reads of others is none any more."""
_REMEMBERED = 64
"""Of so many blocks it is remembered when they were asked for."""
_BEHIND, _BEFORE = 8, 2
"""So many blocks behind and before where a stream has come to, it is read, too: by threads that
share a tensor, each at a chunk of its own."""


class Step(NamedTuple):
    """How far a stream has come, as a number of a block, how many blocks are to be asked for ahead
    of that at most, and whether it has ``moved``."""

    head: int
    most: int
    moved: bool


class Streams:
    """Of one file. Who uses it holds the file's lock."""

    def __init__(self) -> None:
        self._turn = 0
        self._heads: dict[int, tuple[int, int]] = {}  # with the last turn there, and how many
        self._touched: dict[int, int] = {}  # when each block was asked for last, the latest last

    @property
    def count(self) -> int:
        """How many there are; one at least."""
        return max(len(self._heads), 1)

    def advance(self, number: int) -> Step:
        """A block is read, and its stream is there. Each step makes what is to be asked for ahead
        twice as much, as where nothing goes on none is wanted."""
        self._turn += 1
        near = self._nearest(number, _BEFORE)
        head, most = number, 1
        if near is not None:
            head, (_, most) = max(near, number), self._heads.pop(near)
            most = min(2 * most, AHEAD) if head > near else most
        self._heads[head] = self._turn, most
        for each, (turn, _) in list(self._heads.items()):
            if turn <= self._turn - _TURNS:
                del self._heads[each]
        return Step(head, most, moved=head != near)

    def has_others(self, number: int) -> bool:
        """Whether there are streams that a block is not of."""
        return len(self._heads) > (self._nearest(number, _BEFORE) is not None)

    def touch(self, number: int) -> None:
        """A block is asked for."""
        self._touched.pop(number, None)
        self._touched[number] = self._turn
        if len(self._touched) > _REMEMBERED:
            del self._touched[next(iter(self._touched))]

    def wanted(self, number: int, window: int) -> tuple[int, int]:
        """A number that is greater the sooner a block is wanted again: least what lies behind and
        was not asked for for long, then what lies where nothing is read, then what is more than
        ``window`` ahead, then what lies behind, and most what comes next."""
        head, touched = self._nearest(number, AHEAD), self._touched.get(number, 0)
        if head is None:
            return 1, touched
        if number > head:
            return (2 if number > head + window else 4), head - number
        return (3 if touched > self._turn - _TURNS else 0), touched

    def _nearest(self, number: int, ahead: int) -> int | None:
        """The head of the stream that a block belongs to, ``ahead`` of it at most."""
        near = [head for head in self._heads if -_BEHIND <= number - head <= ahead]
        return min(near, key=lambda head: abs(number - head), default=None)
