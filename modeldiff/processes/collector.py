"""Python's garbage collector, at rest while very many objects are made that hold no circles."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_resting = 0
_worked_before = False


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep the collector from looking through all objects again and again as they become more,
    which takes about as long as making them.

    It is the process's own: threads may do this at the same time, and it works again when the last
    is done. Nothing is lost by it but the memory of circles that became garbage meanwhile, so this
    is for seconds of computing, never for waiting.
    """
    global _resting, _worked_before
    with _lock:
        if not _resting:
            _worked_before = gc.isenabled()
            gc.disable()
        _resting += 1
    try:
        yield
    finally:
        with _lock:
            _resting -= 1
            if not _resting and _worked_before:
                gc.enable()
