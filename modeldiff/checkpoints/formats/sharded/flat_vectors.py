"""Tensors that lie one after the other in vectors, cut anywhere: each part of one is a run, and as
boxes of its shape several where it begins or ends amid a row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import prod

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.tensor import Piece, whole_boxes


class FlatVector:
    """One-dimensional pieces of one type, one after the other, as ranks keep many tensors."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """``pieces`` have one dimension each and lie in their files without gaps."""
        self._pieces = [piece for piece in pieces if piece.shape[0]]
        self._ends = list(accumulate(piece.shape[0] for piece in self._pieces))

    @property
    def size(self) -> int:
        """Elements in all."""
        return self._ends[-1] if self._ends else 0

    def cut(self, first: int, last: int) -> Iterator[Piece]:
        """Elements ``first`` to ``last``, at most ``size``, as pieces of one dimension."""
        number = bisect_right(self._ends, first)
        while first < last:
            piece, end = self._pieces[number], self._ends[number]
            within, count = first - (end - piece.shape[0]), min(last, end) - first
            width = STORED_TYPES[piece.dtype].bits // 8
            yield piece._replace(
                offset=piece.offset + within * width, nbytes=count * width, shape=(count,)
            )
            first, number = first + count, number + 1


def boxes_of_runs(runs: Sequence[Piece], shape: tuple[int, ...]) -> tuple[Piece, ...]:
    """The pieces of a tensor whose elements, in the order of its ``shape``, are the ``runs`` one
    after the other: pieces of one dimension that together have as many as it."""
    if len(runs) == 1:
        return (runs[0]._replace(shape=shape),)
    axes = tuple((size, prod(shape[axis + 1 :])) for axis, size in enumerate(shape))
    pieces: list[Piece] = []
    first = 0
    for run in runs:
        offset, last = run.offset, first + run.shape[0]
        width = run.nbytes // run.shape[0]
        for begin, box in whole_boxes(axes, first, last):
            counts = tuple(count for count, _ in box)
            nbytes = prod(counts) * width
            whole = (1,) * (len(shape) - len(counts)) + counts
            start = tuple(begin // distance % size for size, distance in axes)
            pieces.append(run._replace(offset=offset, nbytes=nbytes, shape=whole, start=start))
            offset += nbytes
        first = last
    return tuple(pieces)
