"""Untrusted text, made fit to stand in a message."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_MOST_COMPARED = 1_000
_LONGEST_COMPARED = 200


def quoted(text: str, limit: int = 80) -> str:
    """``text`` in quotes on one line, cut to ``limit`` characters, unprintable ones escaped.

    >>> quoted("a\\nb")
    "'a\\\\nb'"
    """
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


def spelt_out(text: str) -> str:
    """``text`` with every character that would not be seen spelt out; a byte that is no character
    (a lone surrogate, as ``surrogateescape`` makes them) by its two digits.

    >>> spelt_out("a\\u202eb\\x1b c")
    'a‹U+202E›b‹U+001B› c'
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _spelt(ord(each)) for each in text)


def _spelt(code: int) -> str:
    return f"‹{code - 0xDC00:02X}›" if 0xDC80 <= code <= 0xDCFF else f"‹U+{code:04X}›"


def listed(names: Iterable[str], limit: int = 3) -> str:
    """The first ``limit`` names in quotes, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    everything = list(names)
    text = ", ".join(quoted(name) for name in everything[:limit])
    more = len(everything) - limit
    return f"{text} and {more:,} more" if more > 0 else text


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """A question with the two names most like ``text``, or "" where none is like it.

    Of many names the first are looked at, and no long ones: whoever wrote them may mean harm.

    >>> did_you_mean("model.layer.0", ["model.layers.0", "lm_head"])
    "Did you mean 'model.layers.0'?"
    """
    from difflib import get_close_matches  # late: for errors alone

    short = (name for name in names if len(name) <= _LONGEST_COMPARED)
    candidates = list(islice(short, _MOST_COMPARED))
    near = get_close_matches(text[:_LONGEST_COMPARED], candidates, n=2, cutoff=0.8)
    return f"Did you mean {' or '.join(map(quoted, near))}?" if near else ""
