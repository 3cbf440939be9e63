"""Rows that stand in another order: which row of base each of target's is, and which known order
that makes."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np

from modeldiff.changes.relation import OrderPattern
from modeldiff.changes.relations.nearest_rows import NO_ROW, Directions, nearest_rows
from modeldiff.changes.relations.sampling import RowIndices, SampledValues

_LEAST_MATCHED = 0.9
"""At least this share of the rows looked at has one partner each."""
_LEAST_MOVED = 0.02
_BETTER = 0.5
"""What is left is at most this share of target, and of what is left in place."""
_LEAST_HEAD = 8
"""In shorter heads a rotary order may be any."""
_LEAST_BLOCKS = 8


class Order(NamedTuple):
    """Target's rows ``at`` are base's rows ``origins``, of ``length`` that there are. ``seen`` rows
    were looked at; ``rest`` is what is left, as a share of target's norm."""

    at: RowIndices
    origins: RowIndices
    length: int
    seen: int
    rest: float

    def is_same(self, other: Order) -> bool:
        """Whether the two are one order, where both were looked at."""
        if self.length != other.length:
            return False
        _, ours, theirs = np.intersect1d(self.at, other.at, return_indices=True)
        return bool(ours.size and np.array_equal(self.origins[ours], other.origins[theirs]))


def find_order(
    base: SampledValues, target: SampledValues, at: RowIndices, length: int
) -> Order | None:
    """The order of target's rows among base's; None where they have none or stand in place.

    ``base`` is [rows, run], the first or all of ``length`` rows; ``target`` are target's rows
    ``at`` of these.
    """
    origins = nearest_rows(Directions(base), target, at, _least_moved(at))
    if origins is None:
        return None
    known = origins != NO_ROW
    if known.sum() < _LEAST_MATCHED * len(at) or _is_in_place(at[known], origins[known]):
        return None
    if len(np.unique(origins[known])) < known.sum():
        return None
    order = Order(at[known], origins[known], length, len(at), 0.0)
    return check_order(order, base[origins[known]], target[known], base[at[known]])


def check_order(
    order: Order, base: SampledValues, target: SampledValues, in_place: SampledValues
) -> Order | None:
    """``order`` with what it leaves, where it is another one than in place and leaves little.

    ``base`` are base's rows ``order.origins``, ``target`` and ``in_place`` both sides' rows
    ``order.at``; each [rows, run].
    """
    if _is_in_place(order.at, order.origins):
        return None
    rest = distance(base, target)
    if not rest <= _BETTER * min(1.0, distance(in_place, target)):
        return None
    return order._replace(rest=rest)


def _is_in_place(at: RowIndices, origins: RowIndices) -> bool:
    """Whether so few rows moved that it is no other order."""
    return int(np.count_nonzero(at != origins)) < _least_moved(at)


def _least_moved(at: RowIndices) -> float:
    """Where fewer of these rows moved it is no other order."""
    return max(_LEAST_MOVED * len(at), 2)


def pattern_of(order: Order) -> tuple[OrderPattern, int]:
    """Which known order it is, and of heads or blocks of how many rows."""
    at, origins, length = order.at, order.origins, order.length
    if np.array_equal(origins, length - 1 - at):
        return "reversed", 0
    for size in _divisors(length):
        if size % 2 or size < _LEAST_HEAD:
            continue
        within, half = at % size, size // 2
        head = at - within
        if np.array_equal(origins, head + within % 2 * half + within // 2):
            return "interleaved", size
        if np.array_equal(origins, head + within % half * 2 + within // half):
            return "halved", size
    for size in reversed(_divisors(length)):
        if 1 < size < length and _moves_blocks(at, origins, size):
            # Of few blocks such an order may be any.
            other = _other_heads(at, origins, length) if length >= _LEAST_BLOCKS * size else 0
            return ("other_heads", other) if other else ("blocks", size)
    if other := _other_heads(at, origins, length):
        return "other_heads", other
    return "", 0


def _other_heads(at: RowIndices, origins: RowIndices, length: int) -> int:
    """Of rows that were put into rotary pairs by heads of one length and back into halves by heads
    of another, the shorter length; else 0."""
    sizes = [s for s in _divisors(length) if s % 2 == 0 and s >= _LEAST_HEAD]
    ways: tuple[tuple[OrderPattern, OrderPattern], ...] = (
        ("interleaved", "halved"),
        ("halved", "interleaved"),
    )
    for size, other in permutations(sizes, 2):
        for first, second in ways:
            rows = whole_order(first, size, whole_order(second, other, at))
            if np.array_equal(origins, rows):
                return min(size, other)
    return 0


def whole_order(pattern: OrderPattern, size: int, at: RowIndices) -> RowIndices:
    """The rows of base that a rotary ``pattern`` of heads of ``size`` rows puts ``at``."""
    within, half = at % size, size // 2
    if pattern == "interleaved":
        return at - within + within % 2 * half + within // 2
    return at - within + within % half * 2 + within // half


def _moves_blocks(at: RowIndices, origins: RowIndices, size: int) -> bool:
    if not np.array_equal(at % size, origins % size):
        return False
    blocks = np.stack([at // size, origins // size], axis=1)
    pairs = np.unique(blocks, axis=0)
    return len(np.unique(pairs[:, 0])) == len(pairs) == len(np.unique(pairs[:, 1]))


def _divisors(length: int) -> list[int]:
    return [size for size in range(2, min(length, 1024) + 1) if length % size == 0]


def distance(base: SampledValues, target: SampledValues) -> float:
    """The norm of the difference as a share of target's; infinite where target is zero."""
    theirs = target.astype(np.float64, copy=False)
    norm = _length_of(theirs)
    return _length_of(theirs - base) / norm if norm else float("inf")


def _length_of(rows: SampledValues) -> float:
    """The norm of all values together. Not NumPy's: for so few values its threads cost more than
    they save."""
    flat = rows.reshape(-1)
    return float(np.sqrt(np.einsum("i,i->", flat, flat)))
