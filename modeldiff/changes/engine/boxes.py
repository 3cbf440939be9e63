"""A tensor that is stored as several boxes, put together in the order of its elements.

Shards of tensor parallelism and of distributed checkpoints are boxes: some rows, or some columns of
every row. What lies together in a piece is read at once and then dealt out over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.strided_read import SCRATCH, UNSIGNED, whole_boxes
from modeldiff.checkpoints.tensor import Piece

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
) -> int:
    """Fill the buffer with a tensor's elements, each ``width`` bytes, from element ``first`` on, in
    the order of ``shape``. Returns how many elements the pieces had of these: all of them, where
    they make up the whole. Raises what ``read`` raises."""
    elements = buffer.view(UNSIGNED[width])
    axes = tuple((size, prod(shape[axis + 1 :])) for axis, size in enumerate(shape))
    done = filled = 0
    for begin, box_axes in whole_boxes(axes, first, first + elements.size):
        counts = [count for count, _ in box_axes]
        box = elements[done : done + prod(counts)]
        start = tuple(int(index) for index in np.unravel_index(begin, shape))
        box = box.reshape((1,) * (len(shape) - len(counts)) + tuple(counts))
        filled += sum(_fill_shared(read, piece, start, box) for piece in pieces)
        done += box.size
    return filled


def _fill_shared(read: ReadPiece, piece: Piece, start: tuple[int, ...], out: UnsignedArray) -> int:
    """Fill what ``piece`` has of the box that begins at ``start`` of the tensor; returns how many
    elements that are."""
    origin = piece.start or (0,) * out.ndim
    low = tuple(map(max, start, origin))
    ends = zip(start, out.shape, origin, piece.shape, strict=True)
    high = tuple(min(s + count, o + size) for s, count, o, size in ends)
    if any(one >= other for one, other in zip(low, high, strict=True)):
        return 0
    shared = out[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))]
    _fill_box(read, piece, tuple(a - o for a, o in zip(low, origin, strict=True)), shared)
    return shared.size


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
