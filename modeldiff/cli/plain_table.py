"""Tables of plain text that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.cli.terminal import printable

_GAP = "  "
_LEAST = 8


def table_lines(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    width: int | None = None,
) -> list[str]:
    """A header line and a line a row, columns aligned, those numbered in ``right`` to the right.

    Where ``width`` is given and too small, the widest of the other columns are cut until a line
    fits, but never below 8 characters.
    """
    cells = [[printable(cell) for cell in row] for row in [headers, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        _narrow(widths, [i for i in range(len(widths)) if i not in right], width)
    return [_line(row, widths, right) for row in cells]


def _narrow(widths: list[int], may_shrink: Sequence[int], width: int) -> None:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        widest = max(may_shrink, key=lambda i: widths[i], default=None)
        if widest is None or widths[widest] <= _LEAST:
            return
        widths[widest] -= 1
        excess -= 1


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells = []
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        fitting = cut(cell, width)
        cells.append(fitting.rjust(width) if i in right else fitting.ljust(width))
    return _GAP.join(cells).rstrip()


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters, its middle left out: names differ at the ends.

    >>> cut("model.layers.31.mlp.down_proj.weight", 20)
    'model.laye…oj.weight'
    """
    if len(text) <= width:
        return text
    left = width // 2
    return f"{text[:left]}…{text[len(text) - (width - left - 1) :]}"
