"""Untrusted text, made fit to stand in a message."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(text: str, limit: int = 80) -> str:
    """``text`` in quotes on one line, cut to ``limit`` characters, unprintable ones escaped.

    >>> quoted("a\\nb")
    "'a\\\\nb'"
    """
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


def listed(names: Iterable[str], limit: int = 3) -> str:
    """The first ``limit`` names in quotes, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    everything = list(names)
    text = ", ".join(quoted(name) for name in everything[:limit])
    more = len(everything) - limit
    return f"{text} and {more:,} more" if more > 0 else text
