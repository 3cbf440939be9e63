"""Whether somebody still waits for what is being worked out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from modeldiff.errors import Cancelled

Wanted = Callable[[], bool]
"""Says whether somebody still waits. Any thread may ask, and often."""


def _always() -> bool:
    return True


_wanted: ContextVar[Wanted] = ContextVar("wanted", default=_always)


@contextmanager
def wanted_while(wanted: Wanted) -> Iterator[None]:
    """What this thread begins meanwhile is worked out only while ``wanted`` says so."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def who_waits() -> Wanted:
    """Whom to ask about what this thread begins now. A thread that it starts does not know, so it
    is handed on; where nobody said anything, somebody always waits."""
    return _wanted.get()


def require_wanted() -> None:
    """Raise ``Cancelled`` where nobody waits any more for what this thread does: between two steps
    that each take long."""
    if not who_waits()():
        raise Cancelled("Nobody waits for this any more.")
