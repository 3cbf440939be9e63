"""Tables of plain text that fit the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from modeldiff.cli.terminal import printable

_GAP = "  "
_LEAST = 8
_WORD = 24
"""Of longer words the middle may be cut before sentences become narrower than this."""


def table_lines(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    spare: Sequence[int] = (),
    width: int | None = None,
) -> list[str]:
    """A header line and the rows, columns aligned, those numbered in ``right`` to the right.

    Where ``width`` is given and too small, the widest of the other columns are narrowed until a
    line fits, but never below 8 characters: sentences go on in a line below, what has no blank is
    cut in its middle. Sentences are narrowed first, names only when these are as narrow as can be
    and the ``spare`` columns, in the order given, are left out.
    """
    cells = [[printable(cell) for cell in row] for row in [headers, *rows]]
    kept = list(range(len(headers)))
    for column in spare:
        if width is not None and _least_width(cells, kept, right) > width:
            kept.remove(column)
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
    if len(cell) <= width:
        return [cell]
    fitting = " ".join(shorten_middle(word, width) for word in cell.split(" "))
    return textwrap.wrap(fitting, width, break_on_hyphens=False) or [""]


def shorten_middle(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters, its middle left out: names differ at the ends.

    >>> shorten_middle("model.layers.31.mlp.down_proj.weight", 20)
    'model.laye…oj.weight'
    """
    if len(text) <= width:
        return text
    left = width // 2
    return f"{text[:left]}…{text[len(text) - (width - left - 1) :]}"
