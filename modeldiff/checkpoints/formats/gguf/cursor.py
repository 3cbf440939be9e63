"""A file's beginning, read on and on: no length in it is believed before it is compared with what
is left."""

from __future__ import annotations

import hashlib
import struct
from typing import Any, NoReturn

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.source import FileHead, FileStat, Source
from modeldiff.errors import CheckpointChanged, DamagedCheckpoint

_FIRST_WINDOW = 256 << 10
_LARGEST_WINDOW = 8 << 20
"""Bytes that are read at once: a header without a vocabulary takes one read, one with a few."""
_COPY_AGAIN = "Download or copy the file again."


class HeaderCursor:
    """Reads ``file`` of ``source`` from its first byte on. What is read counts for ``budget``.

    Each method raises ``DamagedCheckpoint`` where the file ends before what is asked for,
    ``CheckpointChanged`` where the file changes meanwhile, and what ``Source.read`` and the budget
    raise.
    """

    def __init__(self, source: Source, file: str, budget: OpeningBudget) -> None:
        self._source, self._file, self._budget = source, file, budget
        self._hash = hashlib.sha256()
        self._window, self._at, self._start = b"", 0, 0
        self._next = _FIRST_WINDOW
        self._stat: FileStat | None = None
        self._grow(0)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        assert self._stat is not None
        return self._stat.size

    @property
    def position(self) -> int:
        """Bytes of the file before what is read next."""
        return self._start + self._at

    @property
    def left(self) -> int:
        """Bytes of the file that were not read yet."""
        return self.size - self.position

    def fail(self, what: str, hint: str = _COPY_AGAIN) -> NoReturn:
        """Raise ``DamagedCheckpoint`` that names the file."""
        raise DamagedCheckpoint(f"{self._source.where(self._file)}: {what}", hint=hint)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if self._at + count > len(self._window):
            self._require(count)
            self._grow(count)
        data = self._window[self._at : self._at + count]
        self._at += count
        return data

    def number(self, form: struct.Struct) -> Any:
        """The next number."""
        (value,) = form.unpack(self.take(form.size))
        return value

    def skip(self, count: int) -> None:
        """Step over ``count`` bytes."""
        self._require(count)
        while count:
            within = min(count, len(self._window) - self._at)
            self._at += within
            count -= within
            if count:
                self._grow(1)

    def skip_texts(self, count: int) -> None:
        """Step over ``count`` texts, each behind its length: a vocabulary has 100,000."""
        length_of = struct.Struct("<Q").unpack_from
        while count:
            window, at = self._window, self._at
            last = len(window) - 8
            while count and at <= last:
                after = at + 8 + length_of(window, at)[0]
                if after > last + 8:
                    break
                at, count = after, count - 1
            self._at = at
            if count:
                length = int.from_bytes(self.take(8), "little")
                self.skip(length)
                count -= 1

    def head(self) -> FileHead:
        """What was read so far, as a file's head."""
        assert self._stat is not None
        digest = self._hash.copy()
        digest.update(self._window[: self._at])
        return FileHead(self._stat, self.position, digest.hexdigest())

    def _require(self, count: int) -> None:
        if count > self.left:
            self.fail(f"its header asks for {count:,} bytes where {max(self.left, 0):,} are left.")

    def _grow(self, count: int) -> None:
        """Read on, so that ``count`` bytes are there from the position on."""
        self._hash.update(self._window[: self._at])
        rest = self._window[self._at :]
        begin = self._start + len(self._window)
        wanted = max(self._next, count - len(rest))
        if self._stat is not None:
            wanted = min(wanted, self.size - begin)
        self._budget.take_header(wanted if self._stat is not None else 0)
        data, stat = self._source.read(self._file, begin, wanted)
        if self._stat is not None and (stat != self._stat or len(data) < wanted):
            raise CheckpointChanged(
                f"{self._source.where(self._file)} was changed while its header was read.",
                hint="Wait until nothing writes to it any more, then open it again.",
            )
        self._start, self._window, self._at, self._stat = self.position, rest + data, 0, stat
        self._next = min(2 * self._next, _LARGEST_WINDOW)
