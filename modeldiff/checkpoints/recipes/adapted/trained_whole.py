"""What an adapter holds beside low-rank updates: whole tensors, rows of one, and biases."""

from __future__ import annotations

from dataclasses import field
from math import prod

import numpy as np

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.recipes.floats import read_floats, write_floats
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Rounded:
    """The recipe of a ``tensor`` that a model in the type ``stored`` loads: rounded to it."""

    tensor: TensorInfo
    stored: str

    grain = 1
    lossy = False

    @property
    def words(self) -> str:
        """``F32, rounded to BF16``."""
        return f"{self.tensor.dtype}, rounded to {self.stored}"

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The tensor."""
        return (self.tensor,)

    def open(self, read: Fill) -> _Rounder:
        """A reader that rounds."""
        return _Rounder(self, read)


class _Rounder:
    def __init__(self, recipe: Rounded, read: Fill) -> None:
        self._recipe, self._read = recipe, read

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        values = read_floats(self._read, self._recipe.tensor, first, last - first)
        write_floats(values, self._recipe.stored, out)


@dataclass(frozen=True)
class AddedVector:
    """The recipe of ``base`` and ``scale`` times ``update``, element by element: a bias beside a
    low-rank update."""

    base: TensorInfo
    update: TensorInfo
    scale: float

    words = "bias with an update"
    grain = 1
    lossy = False

    @property
    def stored(self) -> str:
        """As base."""
        return self.base.dtype

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Both."""
        return self.base, self.update

    def open(self, read: Fill) -> _Adder:
        """A reader that adds."""
        return _Adder(self, read)


class _Adder:
    def __init__(self, recipe: AddedVector, read: Fill) -> None:
        self._recipe, self._read = recipe, read

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        recipe = self._recipe
        with np.errstate(all="ignore"):
            change = read_floats(self._read, recipe.update, first, last - first)
            change = change.astype(np.float32) * np.float32(recipe.scale)
            values = read_floats(self._read, recipe.base, first, last - first) + change
        write_floats(values, recipe.base.values, out)


@dataclass(frozen=True)
class ReplacedRows:
    """The recipe of ``base`` with some rows trained anew: ``numbers[i]`` is row i of ``rows``,
    which are rounded to base's type. Of a number that stands there twice, the last one counts.

    ``numbers_bytes`` are the numbers as int64 in this machine's order, so that the recipe is a
    value."""

    base: TensorInfo
    rows: TensorInfo
    numbers_bytes: bytes = field(repr=False)

    grain = 1

    @property
    def numbers(self) -> list[int]:
        """The numbers of the rows."""
        numbers: list[int] = np.frombuffer(self.numbers_bytes, np.int64).tolist()
        return numbers

    @property
    def words(self) -> str:
        """How many rows."""
        count = len(self.numbers)
        return f"{count:,} {'row' if count == 1 else 'rows'} trained anew"

    @property
    def stored(self) -> str:
        """As base."""
        return self.base.dtype

    @property
    def lossy(self) -> bool:
        """As base's own recipe."""
        return self.base.lossy

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The matrix and the rows."""
        return self.base, self.rows

    def open(self, read: Fill) -> _RowReplacer:
        """A reader of both."""
        return _RowReplacer(self, read)


class _RowReplacer:
    def __init__(self, recipe: ReplacedRows, read: Fill) -> None:
        self._recipe, self._read = recipe, read
        self._columns = prod(recipe.base.shape[1:])
        self._width = STORED_TYPES[recipe.base.values].bits // 8
        places = {number: at for at, number in enumerate(recipe.numbers)}
        self._numbers = np.array(sorted(places), np.int64)
        self._places = [places[number] for number in sorted(places)]

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        recipe, columns, width = self._recipe, self._columns, self._width
        self._read(recipe.base, first, out)
        inside = np.searchsorted(self._numbers, (first // columns, -(-last // columns)))
        for at in range(*inside.tolist()):
            start = int(self._numbers[at]) * columns
            low, high = max(first, start), min(last, start + columns)
            within = self._places[at] * columns + low - start
            values = read_floats(self._read, recipe.rows, within, high - low)
            place = out[(low - first) * width : (high - first) * width]
            write_floats(values, recipe.base.values, place)
