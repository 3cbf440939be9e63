"""How the elements of a part lie in a stored tensor, worked out from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from modeldiff.checkpoints.tensor import Piece, Strides, TensorInfo


def slice_strides(shape: tuple[int, ...], axis: int, turns: int, size: int) -> Strides:
    """A part's elements in a tensor of this shape: ``size`` rows of ``axis`` in each of the
    ``turns`` in which the parts take turns along it.

    >>> slice_strides((6, 4), 0, 1, 2), slice_strides((6, 4), 0, 3, 1)
    ((), ((3, 8), (4, 1)))
    >>> slice_strides((4, 6), 1, 1, 2)
    ((4, 6), (2, 1))
    """
    inner = prod(shape[axis + 1 :])
    return merge_axes(
        [
            (prod(shape[:axis]), shape[axis] * inner),
            (turns, shape[axis] // turns * inner),
            (size, inner),
            (inner, 1),
        ]
    )


def turned(tensor: TensorInfo) -> TensorInfo:
    """The transpose of a matrix, as a view of the same bytes. Raises ``ValueError`` where a recipe
    makes its values: those come in one order."""
    if tensor.recipe is not None:
        raise ValueError(f"{tensor.recipe.words} cannot be turned")
    pieces = tuple(map(_turned, tensor.pieces))
    return replace(tensor, shape=tensor.shape[::-1], pieces=pieces)


def _turned(piece: Piece) -> Piece:
    rows, columns = piece.shape
    if not rows * columns:
        return piece._replace(shape=(columns, rows), start=piece.start[::-1])
    inner: list[tuple[int, int]] = []
    outer: list[tuple[int, int]] = []
    left = columns
    for count, distance in reversed(piece.strides or ((rows * columns, 1),)):
        # The columns take the innermost axes; one that holds rows as well is cut between them.
        taken = min(count, left)
        if count % taken or left % taken:
            raise ValueError(f"rows of {columns} elements do not fit the strides {piece.strides}")
        inner.insert(0, (taken, distance))
        outer.insert(0, (count // taken, distance * taken))
        left //= taken
    strides = merge_axes([*inner, *outer])
    return piece._replace(shape=(columns, rows), strides=strides, start=piece.start[::-1])


def merge_axes(axes: Iterable[tuple[int, int]]) -> Strides:
    """The same strides in as few axes as can be."""
    strides: list[tuple[int, int]] = []
    for count, distance in axes:
        if count == 1:
            continue
        if strides and strides[-1][1] == count * distance:
            count *= strides.pop()[0]
        strides.append((count, distance))
    if not strides or (len(strides) == 1 and strides[0][1] == 1):
        return ()
    return tuple(strides)
