"""What happened since the start, counted: a few additions a job and a page, whether or not somebody
looks. Labels are words of this program's own, so that their number is bounded."""

from __future__ import annotations

import threading

Labels = tuple[tuple[str, str], ...]

_lock = threading.Lock()
_counts: dict[tuple[str, Labels], float] = {}


def increase(name: str, amount: float = 1, **labels: str) -> None:
    """Add ``amount`` to the count ``name`` under these ``labels``. From any thread."""
    key = name, tuple(sorted(labels.items()))
    with _lock:
        _counts[key] = _counts.get(key, 0) + amount


def all_counts() -> dict[tuple[str, Labels], float]:
    """All counts, by name and labels."""
    with _lock:
        return dict(_counts)
