"""Rests: for how long a store that failed is not asked again, so that pages and diffs go on without
it at once."""

from __future__ import annotations

import threading
import time

_SECONDS = 20.0
"""After a first failure; twice as long after each further one."""
_LONGEST_SECONDS = 300.0


class Rest:
    """For how long a store is not asked after it failed, and what was wrong then. ``refusal`` is
    what a store does that permits none of these requests, ``oddity`` one whose answer is about
    names that the library can't take."""

    def __init__(
        self, refusal: str = "refuses access", oddity: str = "does not answer as it should"
    ) -> None:
        self.refusal, self.oddity = refusal, oddity
        self._lock = threading.Lock()
        self._until, self._seconds = 0.0, _SECONDS
        self.how = ""

    @property
    def is_on(self) -> bool:
        """Whether it rests now."""
        return time.monotonic() < self._until

    def begin(self, how: str) -> None:
        """It failed, and this is ``how``."""
        with self._lock:
            self._until, self.how = time.monotonic() + self._seconds, how
            self._seconds = min(2 * self._seconds, _LONGEST_SECONDS)

    def end(self) -> None:
        """It did what it was asked for."""
        self._seconds = _SECONDS
