"""One process at a time measures a pair."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from modeldiff.files.group_folder import is_of_group

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
    lock = _lock_file(path)
    while not _taken(lock):
        waiting()
        time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file at ``path`` if nobody does, and say whether it is held now. One that was
    not there before is not there afterwards."""
    new = not path.exists()
    lock = _lock_file(path)
    held = _taken(lock)
    try:
        yield held
    finally:
        if new and held:
            path.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock file at ``path`` now. It is there afterwards as before."""
    if not path.exists():
        return False
    with held_if_free(path) as free:
        return not free


def _lock_file(path: Path) -> filelock.BaseFileLock:
    # Who may not open another's lock file for writing could not wait for its end.
    return filelock.FileLock(path, timeout=0, mode=0o664 if is_of_group(path.parent) else 0o644)


def _taken(lock: filelock.BaseFileLock) -> bool:
    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        _log.warning("%s can't be locked, going on without: %s", lock.lock_file, error)
    return True
