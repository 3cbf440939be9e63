"""How many threads are worth while here."""

from __future__ import annotations

import os

MOST_THREADS = 16
"""More would not read faster, and each takes its buffers."""


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
