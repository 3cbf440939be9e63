"""The C library's allocator, told to suit a server of many threads. With another C library than
GNU's nothing is done."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of ``mallopt(3)``."""
_ARENAS = 2


def _function(name: str) -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def share_heaps() -> None:
    """Let threads that are begun from now on share two heaps.

    By default each gets one of its own, up to eight a processor, and what was freed in one is not
    used by the others: threads that come and go, as those of a server's pages do, let a process
    grow by what none of them holds.
    """
    if (mallopt := _function("mallopt")) is not None:
        mallopt(_ARENA_MAX, _ARENAS)


def give_back_freed_memory() -> None:
    """Give the system what was freed, wherever in the heaps it is: whole pages of it."""
    if (trim := _function("malloc_trim")) is not None:
        trim(0)
