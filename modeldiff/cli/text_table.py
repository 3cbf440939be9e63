"""Tables of plain text that fit the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from modeldiff.cli.terminal import printable

_GAP = "  "
_LEAST = 8
_WORD = 24
"""Longer names are broken before sentences become narrower than this."""
_PARTS = re.compile(r"[^./]+[./]*|[./]+")
_SHORT_PARTS = re.compile(r"[^_-]+[_-]*|[_-]+")
"""A name's parts, each with what separates it from the next, and the parts of these."""
_MOST_LINES = 6
"""A name that would take more lines is no name that anybody reads: its middle is left out."""


def table_lines(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    spare: Sequence[int] = (),
    width: int | None = None,
) -> list[str]:
    """A header line and the rows, columns aligned, those numbered in ``right`` to the right.

    Where ``width`` is given and too small, room is made in this order: sentences go on in a line
    below; the ``spare`` columns, in the order given, are left out; names go on in a line below,
    too, broken behind a dot or a slash. No name loses a character before these are 8 characters
    wide; only what fits nowhere then has its middle left out, and last of all numbers but the first
    are left out, from the right.
    """
    cells = [[printable(cell) for cell in row] for row in [headers, *rows]]
    kept = list(range(len(headers)))
    for column in spare:
        if width is not None and _least_width(cells, kept, right) > width:
            kept.remove(column)
    if width is not None:
        kept = _with_room_for_names(cells, kept, right, width)
    right = [at for at, column in enumerate(kept) if column in right]
    cells = [[row[column] for column in kept] for row in cells]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if width is not None:
        words = [max(map(_longest_word, column)) for column in columns]
        may_shrink = [i for i in range(len(widths)) if i not in right]
        _narrow(widths, may_shrink, [min(max(each, _LEAST), _WORD) for each in words], width)
        _narrow(widths, may_shrink, [_LEAST] * len(words), width)
    return [line for row in cells for line in _lines(row, widths, right)]


def sentence_lines(text: str, width: int | None, indent: int) -> list[str]:
    """A sentence in lines of at most ``width``, all but the first set in by ``indent`` blanks."""
    if width is None:
        return [text]
    return textwrap.wrap(
        text, max(width, 2 * indent), subsequent_indent=" " * indent, break_on_hyphens=False
    )


def _least_width(cells: Sequence[Sequence[str]], kept: Sequence[int], right: Sequence[int]) -> int:
    """How wide these columns are where no word is cut."""
    widths = (
        max(len(row[i]) if i in right else _longest_word(row[i]) for row in cells) for i in kept
    )
    return sum(widths) + len(_GAP) * (len(kept) - 1)


def _with_room_for_names(
    cells: Sequence[Sequence[str]], kept: list[int], right: Sequence[int], width: int
) -> list[int]:
    """The columns that remain where not even names of the least width leave room for all numbers:
    the first number stays."""
    numbers = [column for column in kept if column in right]
    while len(numbers) > 1:
        longest = {column: max(len(row[column]) for row in cells) for column in kept}
        least = (each if i in right else min(each, _LEAST) for i, each in longest.items())
        if sum(least) + len(_GAP) * (len(kept) - 1) <= width:
            break
        kept = [column for column in kept if column != numbers[-1]]
        numbers.pop()
    return kept


def _narrow(widths: list[int], may_shrink: Sequence[int], least: Sequence[int], width: int) -> None:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        wide = (i for i in may_shrink if widths[i] > least[i])
        widest = max(wide, key=lambda i: widths[i], default=None)
        if widest is None:
            return
        widths[widest] -= 1
        excess -= 1


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> list[str]:
    broken = [_broken(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in zip_longest(*broken, fillvalue="")
    ]


def _broken(cell: str, width: int) -> list[str]:
    """A cell in lines of at most ``width``: sentences between words, names behind a dot or a slash,
    within these at an underscore or a hyphen."""
    if len(cell) <= width:
        return [cell]
    words = [part for word in cell.split(" ") for part in _pieces(word, width)]
    return textwrap.wrap(" ".join(words), width, break_on_hyphens=False) or [""]


def _pieces(word: str, width: int) -> list[str]:
    """A name in as few pieces of at most ``width`` as its separators allow. What has none to be
    broken at has its middle left out, and so has a name of very many pieces."""
    if len(word) <= width:
        return [word]
    pieces: list[str] = []
    for part in _parts(word, width):
        if pieces and len(pieces[-1]) + len(part) <= width:
            pieces[-1] += part
        else:
            pieces.append(part)
    if len(pieces) > _MOST_LINES:
        return [shorten_middle(word, width)]
    return [shorten_middle(piece, width) for piece in pieces]


def _parts(word: str, width: int) -> Iterator[str]:
    for part in _PARTS.findall(word):
        if len(part) <= width:
            yield part
        else:
            yield from _SHORT_PARTS.findall(part)


def shorten_middle(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters, its middle left out: names differ at the ends.

    >>> shorten_middle("model.layers.31.mlp.down_proj.weight", 20)
    'model.laye…oj.weight'
    """
    if len(text) <= width:
        return text
    left = width // 2
    return f"{text[:left]}…{text[len(text) - (width - left - 1) :]}"
