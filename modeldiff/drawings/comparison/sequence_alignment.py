"""Several sequences as one, in order: which of their entries stand beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")
AlignedIndexes = tuple[int | None, ...]
"""For each sequence the number of its entry that stands here, or None."""


def align(
    sequences: Sequence[Sequence[_T]], likeness: Callable[[_T, _T], float]
) -> tuple[AlignedIndexes, ...]:
    """Put sequences beside each other so that the sum of likenesses is the greatest.

    Each sequence keeps its order, and each entry stands at one place. Entries whose likeness is 0
    are never put beside each other. Of what stands between two matches, earlier sequences' entries
    come first.

    >>> align(["abd", "bcd"], lambda one, other: one == other)
    ((0, None), (1, 0), (None, 1), (2, 2))
    """
    merged: list[list[int | None]] = []
    for number, sequence in enumerate(sequences):

        def alike(place: list[int | None], entry: _T) -> float:
            return max(
                likeness(sequences[side][at], entry)
                for side, at in enumerate(place)
                if at is not None
            )

        scores = [[alike(place, entry) for entry in sequence] for place in merged]
        result: list[list[int | None]] = []
        for place, entry in _matched(scores, len(merged), len(sequence)):
            before = merged[place] if place is not None else [None] * number
            result.append([*before, entry])
        merged = result
    return tuple(tuple(place) for place in merged)


def _matched(
    scores: Sequence[Sequence[float]], rows: int, columns: int
) -> list[tuple[int | None, int | None]]:
    """The best order-keeping pairing, by the recurrence of the longest common subsequence."""
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            together = scores[row][column] + best[row + 1][column + 1]
            alone = max(best[row + 1][column], best[row][column + 1])
            best[row][column] = max(alone, together if scores[row][column] > 0 else 0.0)
    pairs: list[tuple[int | None, int | None]] = []
    row = column = 0
    while row < rows or column < columns:
        if row < rows and column < columns and scores[row][column] > 0:
            together = scores[row][column] + best[row + 1][column + 1]
            if together >= best[row][column]:
                pairs.append((row, column))
                row, column = row + 1, column + 1
                continue
        if row < rows and (column == columns or best[row + 1][column] >= best[row][column + 1]):
            pairs.append((row, None))
            row += 1
        else:
            pairs.append((None, column))
            column += 1
    return pairs
