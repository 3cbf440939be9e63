"""Reading far bytes ahead: while one block is measured, the next ones are under way.

A file is read in blocks, a few requests at a time, as one connection is slower than the network. At
most ``MOST_BLOCKS`` of them are kept, whatever the file's size, and ``MOST_IN_ALL`` of all files,
which may be read in turn, as those of a distributed checkpoint are. They come into memory that is
used again: fresh memory for each would cost the system as much as receiving what comes into it.

A tensor may be read at several places in turn: codes, their scales and their zero points, or codes
that lie one upon another. Each is a stream of its own, so that none pushes out what another is
about to read.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.source import ByteReader
from modeldiff.checkpoints.stores.streams import AHEAD, Step, Streams

FAR_BLOCK = 4 << 20
MOST_BLOCKS = 16
"""Of one file: those ahead, and those that threads still read in. 64 MiB a side."""
MOST_IN_ALL = 2 * MOST_BLOCKS
"""Of all files, beside those that requests or reads are under way in."""
_TURNS = 64
"""A file that was not read while others went on by so many blocks keeps none."""
_MOST_FOR_SAMPLES = 12
"""A sample from no more blocks than these is read by way of them: they are wanted next anyway, and
a request for each of its runs would cost more."""
_SMALL = 64 << 10
"""A read of fewer bytes may be a sample's."""
_LARGE = FAR_BLOCK // 2
"""A read of more bytes is a whole chunk's: the next one begins where it ends."""
_ENDS = 64
"""So many ends of small reads are remembered."""
MOST_REQUESTS = 16


class _Shared:
    """What files that are open share: memory of blocks that nobody reads in, and a bound on all
    blocks. It goes with the last of them: a server would keep it for ever, and a closed file's
    reader may be kept for long."""

    _latest: ClassVar[weakref.ref[_Shared] | None] = None
    _opening = threading.Lock()

    def __init__(self) -> None:
        self.spare: list[npt.NDArray[np.uint8]] = []
        self._lock = threading.Lock()
        self._turn = 0
        # When each was read last, the latest at the end.
        self._turns: weakref.WeakKeyDictionary[ReadAhead, int] = weakref.WeakKeyDictionary()

    @classmethod
    def of_this_process(cls) -> _Shared:
        """That of the files that are open now."""
        with cls._opening:
            shared = cls._latest() if cls._latest is not None else None
            if shared is None:
                shared = cls()
                cls._latest = weakref.ref(shared)
            return shared

    def share(self, reader: ReadAhead, *, goes_on: bool) -> int:
        """How many blocks the ``reader``, which is being read and ``goes_on`` to another block, may
        keep: none where more files are read in turn than there may be blocks. The others of these
        keep no more, and those that are not read, none."""
        with self._lock:
            self._turn += goes_on
            self._turns.pop(reader, None)
            self._turns[reader] = self._turn
            turns = list(self._turns.items())
            rested = [each for each, _ in turns[:-MOST_IN_ALL]]
            rested += [each for each, turn in turns[-MOST_IN_ALL:] if turn <= self._turn - _TURNS]
            for each in rested:
                self._turns.pop(each, None)
            others = [each for each, _ in turns[len(rested) : -1]]
        crowded = len(turns) > MOST_IN_ALL
        share = 0 if crowded else min(MOST_IN_ALL // (len(others) + 1), MOST_BLOCKS)
        for each in rested:
            each.keep(0)
        for each in others:
            each.keep(share)
        return share

    def leave(self, reader: ReadAhead) -> None:
        """It is closed."""
        with self._lock:
            self._turns.pop(reader, None)


class _Content:
    """``count`` bytes. Memory of a block is taken from the ``spare``, if there is some, and goes
    back there when nobody reads in it any more."""

    def __init__(self, count: int, spare: list[npt.NDArray[np.uint8]]) -> None:
        self._spare = spare if count > _SMALL else None
        try:
            memory = spare.pop() if count > _SMALL else np.empty(count, np.uint8)
        except IndexError:
            memory = np.empty(FAR_BLOCK, np.uint8)
        self._memory = memory
        self.octets = memory[:count]

    def __del__(self) -> None:
        if self._spare is not None:
            self._spare.append(self._memory)


class ReadAhead:
    """Reads a file of ``size`` bytes by way of ``far``, from any thread. See ``ByteReader``."""

    def __init__(self, far: ByteReader, size: int) -> None:
        self._far = far
        self._size = size
        self._lock = threading.Lock()
        self._blocks: dict[int, Future[_Content]] = {}
        self._ranges: dict[tuple[int, int], Future[_Content]] = {}
        self._shared = _Shared.of_this_process()
        self._streams = Streams()
        self._ends: deque[int] = deque(maxlen=_ENDS)

    def readinto(self, buffer: memoryview, offset: int) -> None:
        """As ``ByteReader`` has it."""
        with self._lock:
            waiting = self._ranges.pop((offset, len(buffer)), None)
        if waiting is not None:
            content = self._content(waiting, offset, len(buffer))
            buffer[:] = content.octets.data
            return
        alone = self._comes_alone(offset, len(buffer))
        while buffer:
            number, within = divmod(offset, FAR_BLOCK)
            block = self._block(number, ahead=0 if alone else AHEAD, only_known=alone)
            if block is None:
                self._far.readinto(buffer, offset)
                return
            content = self._content(block, number * FAR_BLOCK, self._length(number))
            part = content.octets.data[within : within + len(buffer)]
            if not part:  # behind the end, which the far reader has words for
                self._far.readinto(buffer, offset)
                return
            buffer[: len(part)] = part
            buffer, offset = buffer[len(part) :], offset + len(part)

    def _comes_alone(self, offset: int, count: int) -> bool:
        """Whether a read is better had by a request of its own. A small one is, as a sample's are,
        unless it begins about where one before it ended, nearer than it is long. A large one is,
        where the file is read at several places in turn: nobody else is near."""
        with self._lock:
            if count >= _LARGE:
                several = self._streams.has_others(offset // FAR_BLOCK)
                if several:  # else it goes on when its blocks are asked for
                    self._streams.advance(offset // FAR_BLOCK)
                return several
            if count > _SMALL or self._size <= AHEAD * FAR_BLOCK:
                return False
            goes_on = any(0 <= offset - end <= count for end in self._ends)
            self._ends.append(offset + count)
            return not goes_on

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Fetches what is not under way yet: as a few blocks where these are enough, else range by
        range, all at once."""
        spans = [(start // FAR_BLOCK, (start + count - 1) // FAR_BLOCK) for start, count in ranges]
        numbers = {
            number for first, last in spans for number in range(first, last + 1)[:MOST_BLOCKS]
        }
        if len(numbers) <= _MOST_FOR_SAMPLES:
            for number in sorted(numbers):
                self._block(number, ahead=0)
            return
        with self._lock:
            for start, count in ranges:
                if count > _SMALL:
                    continue
                if (start, count) not in self._ranges and start // FAR_BLOCK not in self._blocks:
                    future = _requests().submit(self._fetch, start, count)
                    self._ranges[start, count] = future

    def forget(self, offset: int, nbytes: int) -> None:
        """Nothing is kept for long."""

    def verify(self) -> None:
        """Asks where the file is."""
        self._far.verify()

    def close(self) -> None:
        """Lets go of what was read ahead."""
        with self._lock:
            waiting = [*self._blocks.values(), *self._ranges.values()]
            self._blocks.clear()
            self._ranges.clear()
            self._shared.leave(self)
            self._shared = _Shared()
        for future in waiting:
            future.cancel()
        self._far.close()

    def _block(
        self, number: int, *, ahead: int, only_known: bool = False
    ) -> Future[_Content] | None:
        """A block that is here or under way, and as many behind it asked for. None for one that is
        not, where only such are wanted or none are kept."""
        last = max(self._size - 1, 0) // FAR_BLOCK
        with self._lock:
            known = self._blocks.get(number)
            self._streams.touch(number)
        if known is None and only_known:
            return None
        if known is not None and not ahead:
            return known
        with self._lock:
            step = self._streams.advance(number) if ahead else Step(number, 0, moved=True)
        share = self._shared.share(self, goes_on=step.moved)
        if not share:
            self.keep(0)
            return known
        with self._lock:
            ahead = min(ahead, step.most, share // (2 * self._streams.count))
            wanted = [number, *range(step.head + 1, min(step.head + ahead, last) + 1)]
            for each in wanted:
                if each not in self._blocks:
                    self._blocks[each] = _requests().submit(
                        self._fetch, each * FAR_BLOCK, self._length(each)
                    )
            block = self._blocks[number]
        self.keep(share)
        return block

    def keep(self, most: int) -> None:
        """Let go of blocks but for so many, those that are wanted least first."""
        with self._lock:
            while len(self._blocks) > most:
                window = most // (2 * self._streams.count)
                gone = min(self._blocks, key=lambda each: self._streams.wanted(each, window))
                self._blocks.pop(gone).cancel()

    def _length(self, number: int) -> int:
        return max(min(FAR_BLOCK, self._size - number * FAR_BLOCK), 0)

    def _content(self, waiting: Future[_Content], start: int, count: int) -> _Content:
        """What a request brings; asked for anew where others crowded it out before it began."""
        try:
            return waiting.result()
        except CancelledError:
            return self._fetch(start, count)

    def _fetch(self, start: int, count: int) -> _Content:
        content = _Content(count, self._shared.spare)
        if count:
            self._far.readinto(content.octets.data, start)
        return content


@cache
def _requests() -> ThreadPoolExecutor:
    """The threads that wait for far bytes, of all files together."""
    return ThreadPoolExecutor(MOST_REQUESTS, thread_name_prefix="far bytes")
