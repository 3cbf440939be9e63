"""Some rows of a stored tensor, in any order, as a tensor of their own."""

from __future__ import annotations

from dataclasses import field
from math import prod

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

RowNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SelectedRows:
    """The recipe of rows that stand elsewhere in ``tensor``: row i is its row ``numbers[i]``.

    ``numbers_bytes`` are those numbers as int64 in this machine's order, so that the recipe is a
    value. Runs of neighbouring rows are read at once.
    """

    tensor: TensorInfo
    numbers_bytes: bytes = field(repr=False)

    words = "rows of a larger matrix"
    grain = 1
    lossy = False

    @property
    def numbers(self) -> RowNumbers:
        """The rows' numbers in ``tensor``."""
        return np.frombuffer(self.numbers_bytes, np.int64)

    @property
    def stored(self) -> str:
        """As the matrix that they are rows of."""
        return self.tensor.dtype

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The tensor that the rows are of."""
        return (self.tensor,)

    def open(self, read: Fill) -> _RowReader:
        """A reader of the rows."""
        return _RowReader(self.tensor, self.numbers, read)


class _RowReader:
    def __init__(self, tensor: TensorInfo, numbers: RowNumbers, read: Fill) -> None:
        self._tensor, self._numbers, self._read = tensor, numbers, read
        self._columns = prod(tensor.shape[1:])
        self._width = STORED_TYPES[tensor.values].bits // 8

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last`` of the selected rows."""
        start, stop = first // self._columns, -(-last // self._columns)
        rows = self._numbers[start:stop]
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for begin, end in zip((0, *breaks.tolist()), (*breaks.tolist(), len(rows)), strict=True):
            low = max(first, (start + begin) * self._columns)
            high = min(last, (start + end) * self._columns)
            within = low - (start + begin) * self._columns
            place = slice((low - first) * self._width, (high - first) * self._width)
            self._read(self._tensor, int(rows[begin]) * self._columns + within, out[place])


def select_rows(tensor: TensorInfo, numbers: RowNumbers) -> TensorInfo:
    """These rows of a tensor, in this order.

    Raises ``ValueError`` for a tensor without rows, of a type with several values in a byte, and
    for a number that it has no row of.
    """
    rows = tensor.shape[0] if tensor.shape else 0
    stored = STORED_TYPES.get(tensor.values)
    if not tensor.elements or stored is None or stored.bits % 8:
        raise ValueError(f"{tensor.label} has no rows that can be told apart")
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < rows:
        raise ValueError(f"{tensor.label} has {rows:,} rows, not all of those that are wanted")
    # What is read of each piece: for these bytes are what progress counts.
    pieces = tuple(
        piece._replace(nbytes=piece.nbytes * numbers.size // rows) for piece in tensor.pieces
    )
    recipe = SelectedRows(tensor, np.ascontiguousarray(numbers, np.int64).tobytes())
    shape = (numbers.size, *tensor.shape[1:])
    return TensorInfo(tensor.name, shape, tensor.values, pieces, recipe, tensor.slice)
