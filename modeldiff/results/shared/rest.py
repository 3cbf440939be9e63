"""Rests: for how long a store that failed is not asked again, so that pages and diffs go on without
it at once."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

_SECONDS = 20.0
"""After a first failure; twice as long after each further one."""
_LONGEST_SECONDS = 300.0


class Fault(NamedTuple):
    """``how`` a store fails ("refuses access"), and a ``hint`` at what to do about it."""

    how: str
    hint: str


class Rest:
    """For how long a store is not asked after it failed, and the ``fault`` that it had then.
    ``refusal`` is the fault of a store that permits none of these requests, ``oddity`` of one whose
    answer is about names that the library can't take."""

    def __init__(self, refusal: Fault, oddity: Fault) -> None:
        self.refusal, self.oddity = refusal, oddity
        self.fault = refusal
        self._lock = threading.Lock()
        self._until, self._seconds = 0.0, _SECONDS

    @property
    def is_on(self) -> bool:
        """Whether it rests now."""
        return time.monotonic() < self._until

    def begin(self, fault: Fault) -> None:
        """It failed, with this ``fault``."""
        with self._lock:
            self._until, self.fault = time.monotonic() + self._seconds, fault
            self._seconds = min(2 * self._seconds, _LONGEST_SECONDS)

    def end(self) -> None:
        """It did what it was asked for: the next failure counts as a first one."""
        with self._lock:
            self._seconds = _SECONDS
