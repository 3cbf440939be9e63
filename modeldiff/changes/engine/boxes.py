"""A tensor that is stored as several boxes, put together in the order of its elements.

Shards of tensor parallelism and of distributed checkpoints are boxes: some rows, or some columns of
every row. What lies together in a piece is read at once and then dealt out over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.strided_read import SCRATCH, UNSIGNED
from modeldiff.checkpoints.tensor import Piece, whole_boxes

UnsignedArray = npt.NDArray[np.unsignedinteger]
ReadPiece = Callable[[Piece, int, npt.NDArray[np.uint8]], None]
"""Fills the memory with a piece's bytes from one of its elements on."""


def fill_from_boxes(
    read: ReadPiece,
    pieces: tuple[Piece, ...],
    shape: tuple[int, ...],
    first: int,
    buffer: npt.NDArray[np.uint8],
    width: int,
) -> bool:
    """Fill the buffer with a tensor's elements, each ``width`` bytes, from element ``first`` on, in
    the order of ``shape``. Returns whether the pieces had each of these elements once, as those do
    that make up the whole. Raises what ``read`` raises."""
    elements = buffer.view(UNSIGNED[width])
    axes = tuple((size, prod(shape[axis + 1 :])) for axis, size in enumerate(shape))
    near = _near(pieces, axes[0][1], first, first + elements.size) if axes else pieces
    done = 0
    for begin, box_axes in whole_boxes(axes, first, first + elements.size):
        counts = [count for count, _ in box_axes]
        box = elements[done : done + prod(counts)]
        start = tuple(int(index) for index in np.unravel_index(begin, shape))
        box = box.reshape((1,) * (len(shape) - len(counts)) + tuple(counts))
        had = np.zeros(box.shape, np.bool_)
        for piece in near:
            share = _shared(piece, start, box.shape)
            if share is None:
                continue
            if had[share.within].any():
                return False
            had[share.within] = True
            _fill_box(read, piece, share.start, box[share.within])
        if not had.all():
            return False
        done += box.size
    return True


def _near(pieces: tuple[Piece, ...], row: int, first: int, last: int) -> list[Piece]:
    """Those that have some of the rows, of ``row`` elements, in which elements ``first`` to
    ``last`` lie: of thousands most have none of them."""
    begin, end = first // row, -(-last // row)
    return [
        piece
        for piece in pieces
        if not piece.start or (piece.start[0] < end and begin < piece.start[0] + piece.shape[0])
    ]


class _Share(NamedTuple):
    """What a piece has of a box: where it begins in the piece, and where it is within the box."""

    start: tuple[int, ...]
    within: tuple[slice, ...]


def _shared(piece: Piece, start: tuple[int, ...], shape: tuple[int, ...]) -> _Share | None:
    """Of the box of this shape that begins at ``start`` of the tensor; None where it is nothing."""
    origin = piece.start or (0,) * len(shape)
    low = tuple(map(max, start, origin))
    ends = zip(start, shape, origin, piece.shape, strict=True)
    high = tuple(min(s + count, o + size) for s, count, o, size in ends)
    if any(one >= other for one, other in zip(low, high, strict=True)):
        return None
    within = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
    return _Share(tuple(a - o for a, o in zip(low, origin, strict=True)), within)


def _fill_box(read: ReadPiece, piece: Piece, start: tuple[int, ...], out: UnsignedArray) -> None:
    """Fill ``out`` with the box of its shape that begins at ``start`` of the piece."""
    axis = next((axis for axis, count in enumerate(out.shape) if count > 1), out.ndim - 1)
    if out.shape[axis + 1 :] == piece.shape[axis + 1 :]:  # one run of the piece's elements
        inner = prod(out.shape[axis + 1 :])
        first = sum(index * prod(piece.shape[number + 1 :]) for number, index in enumerate(start))
        if out.flags.c_contiguous:
            read(piece, first, out.reshape(-1).view(np.uint8))
            return
        if out.nbytes <= SCRATCH:
            run = np.empty(out.shape, out.dtype)
            read(piece, first, run.reshape(-1).view(np.uint8))
            np.copyto(out, run)
            return
        step = max(SCRATCH // (inner * out.itemsize), 1)
    else:
        step = 1
    for begin in range(0, out.shape[axis], step):
        part = out[(slice(None),) * axis + (slice(begin, begin + step),)]
        _fill_box(read, piece, (*start[:axis], start[axis] + begin, *start[axis + 1 :]), part)
