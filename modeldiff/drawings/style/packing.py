"""Keeping apart what stands or runs side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

STRAIGHT = 0.5
"""Ends nearer than this many pixels are one above the other."""


def tracks(ends: Sequence[tuple[str, str, float, float]]) -> tuple[dict[str, int], int]:
    """A level for each source's turn, so that lines of two sources never lie on each other."""
    spans: dict[str, list[float]] = defaultdict(list)
    for source, _, start, end in ends:
        if abs(start - end) > STRAIGHT:
            spans[source] += [start, end]
    levels: dict[str, int] = {}
    used: list[list[tuple[float, float]]] = []
    for source, xs in sorted(spans.items(), key=lambda item: max(item[1]) - min(item[1])):
        span = (min(xs), max(xs))
        level = next(
            (
                number
                for number, track in enumerate(used)
                if all(span[1] <= low + 1 or span[0] >= high - 1 for low, high in track)
            ),
            len(used),
        )
        if level == len(used):
            used.append([])
        used[level].append(span)
        levels[source] = level
    return levels, len(used)


def apart(
    widths: Sequence[float], goals: Sequence[float], weights: Sequence[float], gap: float
) -> list[float]:
    """The places nearest to the ``goals`` (least squares) where boxes of these widths keep a gap.

    Shifted by the room that each needs, the places only have to ascend: isotonic regression, by
    pooling neighbours that are out of order.
    """
    shifts = [0.0]
    for left, right in pairwise(widths):
        shifts.append(shifts[-1] + (left + right) / 2 + gap)
    pools: list[tuple[float, float, int]] = []
    for goal, shift, weight in zip(goals, shifts, weights, strict=True):
        pools.append((goal - shift, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    flat = [value for value, _, count in pools for _ in range(count)]
    return [value + shift for value, shift in zip(flat, shifts, strict=True)]


def least_limit(sizes: Sequence[float], parts: int) -> float:
    """A size at which things of these sizes go into so many parts, in order; less than 1 above the
    least such.

    >>> least_limit([3, 3, 3, 4], 2)
    7.5
    """
    limit = max([sum(sizes) / max(parts, 1), *sizes], default=0.0)
    while parts_at(sizes, limit) > max(parts, 1):
        limit += 1
    return limit


def parts_at(sizes: Sequence[float], limit: float) -> int:
    """In how many parts of at most this size they go."""
    count, filled = 0, 0.0
    for size in sizes:
        if not count or filled + size > limit:
            count, filled = count + 1, 0.0
        filled += size
    return count
