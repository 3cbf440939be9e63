"""Patterns for places and tensor names: ``layers.0-3.*q_proj``.

A pattern is compared with the whole place (``layers.3.self_attn.q_proj``, ``embed_tokens``) and
with the whole stored names of both sides. ``*`` and ``?`` are as in a shell; numbers between dots
may be ranges and lists (``0-3``, ``0-3,7``).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from modeldiff.changes import Pair
from modeldiff.errors import InvalidOption
from modeldiff.text.quoting import quoted

_MOST_NUMBERS = 1_000
_LONGEST = 500
_RANGES = re.compile(r"(?<![^.])\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*(?![^.])", re.ASCII)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that says whether a text is of this ``pattern``. Raises ``InvalidOption``."""
    if len(pattern) > _LONGEST:
        raise InvalidOption(
            f"A pattern has at most {_LONGEST} characters, not {len(pattern):,}.",
            hint="Use several patterns.",
        )
    # fnmatch makes expressions that never go back, so that no name takes long to be refused. Where
    # the numbers go is marked by what no name on a command line can hold.
    numbers: list[str] = []

    def mark(match: re.Match[str]) -> str:
        numbers.append(_alternatives(match.group(), pattern))
        return "\0"

    translated = fnmatch.translate(_RANGES.sub(mark, pattern.replace("\0", "?")))
    first, *rest = translated.split(re.escape("\0"))
    parts = (number + part for number, part in zip(numbers, rest, strict=True))
    try:
        return re.compile(first + "".join(parts)).match
    except re.error as error:
        raise InvalidOption(
            f"The pattern {quoted(pattern)} was not understood: {error.msg}.",
            hint="Ranges of numbers are written without brackets: layers.0-3.*q_proj.",
        ) from error


def texts_of(pair: Pair) -> Iterator[str]:
    """What a pattern may match of a pair: its place, by the layer's number in base and in target,
    and the stored names of its tensors."""
    yield from dict.fromkeys(_places(pair))
    for tensor in (pair.base, pair.target):
        if tensor is not None:
            yield tensor.name
            if tensor.slice:
                yield tensor.label


def place_text(pair: Pair) -> str:
    """The place in the form that patterns are written in, by base's number of the layer where base
    has it."""
    return next(_places(pair))


def is_selected(pair: Pair, pattern: str) -> bool:
    """Whether ``pattern`` matches something of the pair, see ``texts_of``."""
    match = matcher(pattern)
    return any(match(text) for text in texts_of(pair))


def _places(pair: Pair) -> Iterator[str]:
    place = pair.place
    expert = "" if place.expert is None else f".{place.expert}"
    parameter = "" if place.parameter == "weight" else f".{place.parameter}"
    tower = f"{place.tower}." if place.tower else ""
    for number in place.numbers:
        layer = "" if number is None else f"layers.{number}."
        if number is not None or place.layer is None:
            yield f"{tower}{layer}{place.component}{expert}{parameter}"


def _alternatives(text: str, pattern: str) -> str:
    """``0-3,7`` as a regular expression for these numbers."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        run = range(int(first), int(last or first) + 1)
        if not run or len(numbers) + len(run) > _MOST_NUMBERS:
            raise InvalidOption(
                f"{quoted(pattern)} has a range that is empty or of more than "
                f"{_MOST_NUMBERS:,} numbers: {part}.",
                hint="Write the smaller number first, such as layers.0-31.*; or * for all.",
            )
        numbers += run
    return f"(?:{'|'.join(map(str, numbers))})"
