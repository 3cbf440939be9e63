"""Elements that lie apart in a file, brought together in the order in which they are wanted.

A part of a fused matrix is seldom one run of bytes: keys lie head by head between queries and
values, GPT-2's in the columns of every row, gpt-oss's gate in every other number. Long runs are
read where they belong. Of short ones the whole stretch is read that holds them, a megabyte at a
time, and the wanted elements are copied out of it: a pass over memory costs less than many reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.tensor import Strides, whole_boxes

SCRATCH = 1 << 20
"""Bytes that a thread reads at once to copy elements out of them."""
GAP = 16 << 10
"""Bytes between two runs that cost about as much to read along as a read of its own does."""

ReadBytes = Callable[[memoryview, int], None]
"""Fills the memory with the bytes from an offset on, counted from the tensor's first."""

UNSIGNED: dict[int, Any] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_own = threading.local()


def gather(
    fill: ReadBytes, strides: Strides, start: int, buffer: npt.NDArray[np.uint8], width: int
) -> None:
    """Fill the buffer with a tensor's elements from element ``start`` on, each ``width`` bytes, in
    the order of ``strides`` (see ``TensorInfo``). Raises what ``fill`` raises."""
    elements = buffer.view(UNSIGNED[width])
    done = 0
    for first, axes in whole_boxes(strides, start, start + elements.size):
        counts = [count for count, _ in axes]
        box = elements[done : done + prod(counts)].reshape(counts)
        _read_box(fill, first, tuple(distance for _, distance in axes), box)
        done += box.size


def _read_box(
    fill: ReadBytes, first: int, distances: tuple[int, ...], out: npt.NDArray[np.unsignedinteger]
) -> None:
    """Fill ``out`` with the elements that lie so far apart along each of its axes."""
    width = out.itemsize
    order = sorted((d, axis) for axis, d in enumerate(distances) if out.shape[axis] > 1)
    # What lies close together is read in one go, the stretch of ``span`` elements.
    span, near = 1, 0
    for distance, axis in order:
        if (distance - span) * width > GAP:
            break
        span += (out.shape[axis] - 1) * distance
        near += 1
    far = order[near:][::-1]
    last = out.ndim - 1
    if [*order[:near]] == [(1, last)] and out.strides[last] == width:
        for places in _places(out, far):
            at = first + sum(place * d for place, (d, _) in zip(places, far, strict=True))
            run = out[_index(out, places, far)].reshape(-1)
            fill(run.data.cast("B"), at * width)
        return
    pieces = prod(out.shape[axis] for _, axis in far)
    if pieces * span * width > SCRATCH and order:
        distance, axis = order[-1]
        count = out.shape[axis]
        room = SCRATCH // width
        fitting = room // (pieces // count * span) if far else (room - span) // distance + count
        step = max(fitting, 1)
        for begin in range(0, count, step):
            part = out[(slice(None),) * axis + (slice(begin, begin + step),)]
            _read_box(fill, first + begin * distance, distances, part)
        return
    scratch = _scratch()
    for number, places in enumerate(_places(out, far)):
        at = first + sum(place * d for place, (d, _) in zip(places, far, strict=True))
        piece = scratch.data[number * span * width : (number + 1) * span * width]
        fill(piece, at * width)
    strides = [distance * width for distance in distances]
    step = span * width
    for _, axis in reversed(far):
        strides[axis] = step
        step *= out.shape[axis]
    np.copyto(out, np.ndarray(out.shape, out.dtype, scratch.data, 0, strides))


def _places(
    out: npt.NDArray[np.unsignedinteger], far: list[tuple[int, int]]
) -> Iterator[tuple[int, ...]]:
    return product(*(range(out.shape[axis]) for _, axis in far))


def _index(
    out: npt.NDArray[np.unsignedinteger], places: tuple[int, ...], far: list[tuple[int, int]]
) -> tuple[int | slice, ...]:
    index: list[int | slice] = [slice(None)] * out.ndim
    for place, (_, axis) in zip(places, far, strict=True):
        index[axis] = place
    return tuple(index)


def _scratch() -> npt.NDArray[np.uint8]:
    """This thread's own memory to read into."""
    if not hasattr(_own, "scratch"):
        _own.scratch = np.empty(SCRATCH, np.uint8)
    scratch: npt.NDArray[np.uint8] = _own.scratch
    return scratch
