"""What opening one checkpoint may cost, all its files together.

Whoever visits a link opens what it names, so that a folder of forty files of spaces must not cost
more than one of a model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modeldiff.errors import Cancelled, CheckpointError
from modeldiff.processes.wanted import who_waits
from modeldiff.settings.setting import Variable
from modeldiff.settings.table import (
    MOST_FILES,
    MOST_HEADER_BYTES,
    MOST_NAME_BYTES,
    MOST_OPENING_SECONDS,
    MOST_TENSORS,
)


class OpeningBudget:
    """Counts what is read of the checkpoint that messages call ``where``. Any thread may ask.

    Each method raises ``CheckpointError`` where a limit is passed; the message names the limit, the
    hint the setting that raises it. Each raises ``Cancelled`` once nobody waits any more for what
    the thread that made it began.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._wanted = who_waits()
        self._lock = threading.Lock()
        self._spent: dict[str, float] = {}

    def take_files(self, count: int) -> None:
        """So many files are to be read."""
        self._take(MOST_FILES, count, "files")

    def take_header(self, nbytes: int) -> None:
        """A header of ``nbytes`` is to be read."""
        self._take(MOST_HEADER_BYTES, nbytes, "bytes of headers")

    def take_tensors(self, names: Sequence[str]) -> None:
        """A header was parsed that has tensors of these names."""
        self._take(MOST_TENSORS, len(names), "tensors")
        letters = sum(map(len, names))
        self._take(MOST_NAME_BYTES, letters, "bytes of names")

    def asked_again(self) -> OpeningBudget:
        """The same budget, what was spent of it included, for who asks now: work that was left
        until somebody asks is given up when those leave, not when the first ones did."""
        again = OpeningBudget(self._where)
        again._lock, again._spent = self._lock, self._spent
        return again

    @contextmanager
    def timed(self, purpose: str = "read its headers") -> Iterator[None]:
        """What this thread's processor does meanwhile counts; ``purpose`` says what that is."""
        what = f"seconds of a processor to {purpose}"
        self._take(MOST_OPENING_SECONDS, 0, what)
        began = time.thread_time()
        yield
        self._take(MOST_OPENING_SECONDS, time.thread_time() - began, what)

    def _take(self, limit: Variable[int], amount: float, what: str) -> None:
        if not self._wanted():
            raise Cancelled(f"Nobody waits for {self._where} any more.")
        with self._lock:
            spent = self._spent.get(limit.name, 0) + amount
            self._spent[limit.name] = spent
        most = limit.value()
        if spent > most:
            raise CheckpointError(
                f"{self._where} takes more than {most:,} {what}, the most that is allowed here.",
                hint=f"If it is meant to be so large, {limit.name} raises the limit.",
            )
