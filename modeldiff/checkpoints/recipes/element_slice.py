"""A slice of a tensor, whatever its values are made of: an expert of a stack, keys of a fused
matrix."""

from __future__ import annotations

from math import prod

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.tensor import Fill, Strides, TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class ElementSlice:
    """The recipe of runs of elements of ``tensor``, the first of them at element ``first``: in
    ``strides`` as ``Piece`` has them, so that each run is of the innermost axis; all in one run
    where they are empty."""

    tensor: TensorInfo
    first: int
    strides: Strides

    @property
    def words(self) -> str:
        """As those of the tensor."""
        recipe = self.tensor.recipe
        return recipe.words if recipe is not None else f"{self.tensor.dtype}, a slice"

    @property
    def stored(self) -> str:
        """As the tensor."""
        return self.tensor.dtype

    @property
    def grain(self) -> int:
        """Any range can be read; those that cut blocks cost more."""
        return self.tensor.recipe.grain if self.tensor.recipe is not None else 1

    @property
    def lossy(self) -> bool:
        """As the tensor's recipe."""
        return self.tensor.lossy

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The whole."""
        return (self.tensor,)

    def open(self, read: Fill) -> _SliceReader:
        """A reader of the runs."""
        return _SliceReader(self, read)


class _SliceReader:
    def __init__(self, recipe: ElementSlice, read: Fill) -> None:
        self._tensor, self._first, self._read = recipe.tensor, recipe.first, read
        self._outer = recipe.strides[:-1]
        self._run = recipe.strides[-1][0] if recipe.strides else 0
        self._width = STORED_TYPES[recipe.tensor.values].bits // 8

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last`` of the slice."""
        done = first
        while done < last:
            run, within = divmod(done, self._run) if self._run else (0, done)
            stop = min(last, (run + 1) * self._run) if self._run else last
            place = out[(done - first) * self._width : (stop - first) * self._width]
            self._read(self._tensor, self._first + self._distance(run) + within, place)
            done = stop

    def _distance(self, run: int) -> int:
        """How far from the first element the ``run``-th run begins."""
        distance = 0
        for count, apart in reversed(self._outer):
            run, index = divmod(run, count)
            distance += index * apart
        return distance


def slice_elements(
    tensor: TensorInfo, shape: tuple[int, ...], first: int, strides: Strides, word: str
) -> TensorInfo:
    """The elements of ``tensor`` from ``first`` on that lie in ``strides``, as a tensor of
    ``shape``; ``word`` says which slice it is. Of a tensor in one piece that lies as it is read it
    is a view of the stored bytes, of any other a recipe.

    Raises ``ValueError`` where the elements of such a recipe do not lie in runs.
    """
    elements = prod(shape)
    piece = tensor.only_piece
    if piece is None or piece.strides:
        if strides and strides[-1][1] != 1:
            raise ValueError(f"{tensor.label} cannot be cut by columns")
        # What is read of each piece: these bytes are what progress counts.
        pieces = tuple(
            piece._replace(nbytes=piece.nbytes * elements // tensor.elements)
            for piece in tensor.pieces
        )
        recipe = ElementSlice(tensor, first, strides)
        return TensorInfo(tensor.name, shape, tensor.values, pieces, recipe, word)
    width = STORED_TYPES[tensor.values].bits // 8
    return TensorInfo.stored(
        tensor.name,
        tensor.values,
        shape,
        piece.file,
        piece.offset + first * width,
        elements * width,
        strides,
        word,
    )
