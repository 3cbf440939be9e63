"""One process at a time measures a pair."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

_SECONDS_BETWEEN_TRIES = 0.2
_log = logging.getLogger(__name__)


@contextmanager
def held_alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at ``path``; ``waiting`` is called again and again until it is free, and
    may raise to give up.

    The system drops the lock of a process that dies, however it dies. On a disk that knows no
    locks the work goes on without one: at worst two processes then measure the same pair, and
    either result is right.
    """
    lock = filelock.FileLock(path, timeout=0)
    while not _taken(lock):
        waiting()
        time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        lock.release()


def _taken(lock: filelock.BaseFileLock) -> bool:
    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        _log.warning("%s can't be locked, going on without: %s", lock.lock_file, error)
    return True
