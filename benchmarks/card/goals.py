"""What was to be reached on an H100 or H200, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.card.card import Card, Found

_OF_COPYING = 0.9
_MEASURED, _COMMAND = 1.5, 3.5
"""Seconds, of the 8B pair."""


def goals(card: Card) -> Iterator[Found]:
    """Each with what was measured beside it."""
    measured, pinned = card.measured, card.pinned_rate
    share = card.nbytes / measured / pinned if measured and pinned else None
    yield (
        f"measuring: at least {_OF_COPYING:.0%} of the rate of copying pinned memory",
        _judged(share and f"{share:.0%}", share is not None and share >= _OF_COPYING),
    )
    is_8b = card.size == "8b"
    for what, seconds, most in (
        ("measuring an 8B pair", measured if is_8b else None, _MEASURED),
        ("the whole command of it", card.command if is_8b else None, _COMMAND),
    ):
        yield (
            f"{what}: at most {most} s",
            _judged(seconds and f"{seconds:.2f} s", seconds is not None and seconds <= most),
        )


def _judged(found: str | float | None, reached: bool) -> str:
    if not found:
        return "not measured"
    return f"{found}: {'reached' if reached else 'NOT reached'}"
