"""A few values of both sides of a pair, read when a check first asks for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Pair
from modeldiff.changes.dtype_pairs import decode_into, dtype_pair
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, TensorInfo

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.scaled_codes import Grid

RUN_LENGTH = 64
"""So many neighbouring values of a row tell it from others; of a column likewise."""
LEAST_RUN, LEAST_AXIS = 16, 4
"""In fewer values, or among fewer rows, a likeness may be chance."""
MOST_SAMPLED = 512
"""So many rows of a matrix are looked at, spread over it."""
LONGEST_AXIS = 1 << 15
"""Of more rows none is looked for: vocabularies beyond that, and what is no matrix."""
PREFIX = 1024
"""The first rows, among which known orders are looked for: several heads of any model."""
_BLOCKS_A_SIDE = 16
"""So many rows and so many columns of blocks are looked at."""
_BLOCK = 1 << 20
_READ_AT_ONCE = 64
"""Runs that are read before somebody who wants an end is listened to: each may take the time of a
slow disk's or a network's answer."""
_APART = 16
"""Rows whose columns are taken stand so many values apart: a processor's caches hold few values
whose addresses differ by a power of two."""
_WIDE_ROW = 1 << 16
"""Bytes of a row from which on it is cheaper to read a run of each than all rows whole."""

SampledValues = npt.NDArray[Any]
RowIndices = npt.NDArray[np.int64]


class BudgetSpent(Exception):
    """As much was read as looking may cost."""


class Budget:
    """Bytes that may be read."""

    def __init__(self, nbytes: int) -> None:
        self._left = nbytes

    def spend(self, nbytes: int) -> None:
        """Take ``nbytes`` of it. Raises ``BudgetSpent`` where so many are not left."""
        if nbytes > self._left:
            raise BudgetSpent
        self._left -= nbytes


class SampledSides(NamedTuple):
    """SampledValues of base and of target, a row each of what is looked at."""

    base: SampledValues
    target: SampledValues


def spread(count: int) -> RowIndices:
    """At most ``MOST_SAMPLED`` numbers below ``count``, ascending: one in each of as many equal
    parts, at places that no length of a head is a multiple of."""
    if count <= MOST_SAMPLED:
        return np.arange(count, dtype=np.int64)
    edges = np.arange(MOST_SAMPLED + 1, dtype=np.int64) * count // MOST_SAMPLED
    steps = np.arange(MOST_SAMPLED, dtype=np.int64) * 0x9E3779B1
    return edges[:-1] + steps % (edges[1:] - edges[:-1])


def can_be_sampled(pair: Pair) -> bool:
    """Whether both sides are floats of whole bytes with as many elements."""
    base, target = pair.base, pair.target
    if pair.status != "compared" or base is None or target is None:
        return False
    types = dtype_pair(base.values, target.values)
    if types is None or types.precision == "equality" or base.shape != target.shape:
        return False
    return all(STORED_TYPES[side.values].bits % 8 == 0 for side in (base, target))


def _grid_of(tensor: TensorInfo) -> Grid | None:
    """Which values of a matrix share a scale."""
    recipe = tensor.recipe
    if recipe is None:
        return None
    # Late: few tensors have one.
    from modeldiff.checkpoints.recipes.scaled_codes import ScaledCodes

    if not isinstance(recipe, ScaledCodes) or recipe.order is not None or len(tensor.shape) != 2:
        return None
    return recipe.grid


class PairSamples:
    """Samples of a pair of matrices, of ``rows`` × ``columns``; after the first, all axes are
    columns.

    ``files`` are base's and target's; what is read is taken from ``budget``, and ``looking`` is
    called before. Reading raises ``BudgetSpent``, ``TensorUnreadable``, ``CheckpointChanged``, and
    what ``looking`` raises.
    """

    def __init__(
        self,
        pair: Pair,
        files: tuple[OpenFiles, OpenFiles],
        budget: Budget,
        looking: Callable[[], None],
    ) -> None:
        assert pair.base is not None and pair.target is not None
        self.pair = pair
        self._tensors = pair.base, pair.target
        self._files = files
        self._budget, self._looking = budget, looking
        shape = pair.base.shape
        self.rows = shape[0] if shape else 1
        self.columns = math.prod(shape[1:])
        bits = max(STORED_TYPES[tensor.values].bits for tensor in self._tensors)
        self._working = np.dtype(np.float64 if bits == 64 else np.float32)

    @property
    def has_rows(self) -> bool:
        """Whether rows are long enough to be told apart, and few enough to be looked for."""
        return self.columns >= LEAST_RUN and LEAST_AXIS <= self.rows <= LONGEST_AXIS

    @property
    def has_columns(self) -> bool:
        """The same of columns."""
        return self.rows >= LEAST_RUN and LEAST_AXIS <= self.columns <= LONGEST_AXIS

    @cached_property
    def row_runs(self) -> SampledSides:
        """A run of each row that ``spread`` gives."""
        return SampledSides(*(self._rows_at(side, spread(self.rows)) for side in (0, 1)))

    @cached_property
    def first_rows(self) -> SampledSides:
        """A run of each of the first ``PREFIX`` rows."""
        stop = min(self.rows, PREFIX)
        return SampledSides(*(self._stretch(side, stop) for side in (0, 1)))

    @cached_property
    def base_rows(self) -> SampledValues:
        """A run of each of base's rows."""
        return self.first_rows.base if self.rows <= PREFIX else self._stretch(0, self.rows)

    @cached_property
    def column_runs(self) -> SampledSides:
        """A run of each column that ``spread`` gives."""
        at = spread(self.columns)
        some = (np.take(raw, at, axis=1) for raw in self._across)
        return SampledSides(*(self._as_columns(side, raw) for side, raw in enumerate(some)))

    @cached_property
    def base_columns(self) -> SampledValues:
        """A run of each of base's columns."""
        return self._as_columns(0, self._across.base)

    @cached_property
    def target_columns(self) -> SampledValues:
        """A run of each of target's columns."""
        return self._as_columns(1, self._across.target)

    @cached_property
    def elements(self) -> SampledSides:
        """All elements."""
        return SampledSides(*(self._values(side, [0], self.rows * self.columns) for side in (0, 1)))

    @cached_property
    def fingerprints(self) -> SampledSides:
        """Some runs of each side, in one row."""
        elements = self.rows * self.columns
        run = min(RUN_LENGTH, elements)
        firsts = [int(n) for n in spread(max(elements // run - 1, 1))[:: MOST_SAMPLED // 16]]
        runs = [first * run for first in firsts]
        return SampledSides(*(self._values(side, runs, run).reshape(-1) for side in (0, 1)))

    @cached_property
    def block_shape(self) -> tuple[int, int] | None:
        """How many rows and columns of values share a scale on one side; None where none do."""
        grid = next((each for each in map(_grid_of, self._tensors) if each is not None), None)
        return None if grid is None else (grid.block_rows, grid.block_columns)

    @cached_property
    def blocks(self) -> tuple[SampledSides, tuple[RowIndices, RowIndices], int] | None:
        """Values of each of some blocks that share a scale on one side, in which row and which
        column of blocks each is, and how many blocks there are; None where there are not several,
        or they are too small to be told. Of narrow blocks several rows are read."""
        if self.block_shape is None:
            return None
        height, width = self.block_shape
        down, across = -(-self.rows // height), self.columns // width
        run = min(RUN_LENGTH, width)
        lines = min(-(-LEAST_RUN // run), height)
        if max(down, across) < 2 or self.columns % width or run * lines < LEAST_RUN:
            return None
        rows, columns = (
            spread(each)[:: -(-min(each, MOST_SAMPLED) // _BLOCKS_A_SIDE)]
            for each in (down, across)
        )
        firsts = [
            min(int(row) * height + (height - lines) // 2 + line, self.rows - 1) * self.columns
            + int(column) * width
            for row in rows
            for column in columns
            for line in range(lines)
        ]
        count = len(rows) * len(columns)
        sides = (self._values(side, firsts, run).reshape(count, -1) for side in (0, 1))
        numbers = np.arange(count, dtype=np.int64)
        places = numbers // len(columns), numbers % len(columns)
        return SampledSides(*sides), places, down * across

    def rows_of_base(self, numbers: RowIndices) -> SampledValues:
        """A run of each of these rows of base."""
        return self._rows_at(0, numbers)

    @property
    def _run(self) -> tuple[int, int]:
        """Where in a row its run begins, and its length: in a square matrix as in a column."""
        run = min(RUN_LENGTH, self.columns)
        return (self.columns - run) // 2, run

    def _rows_at(self, side: int, numbers: RowIndices) -> SampledValues:
        start, run = self._run
        return self._values(side, [int(n) * self.columns + start for n in numbers], run)

    @cached_property
    def _across(self) -> SampledSides:
        """What columns are taken from: as many neighbouring rows as a run of one is long, as they
        are stored."""
        run = min(RUN_LENGTH, self.rows)
        start = (self.rows - run) // 2
        sides = []
        for side, tensor in enumerate(self._tensors):
            raw = self._raw(side, [start * self.columns], run * self.columns)
            width = STORED_TYPES[tensor.values].bits // 8
            sides.append(raw.view(f"u{width}").reshape(run, -1))
        return SampledSides(*sides)

    def _as_columns(self, side: int, stored: SampledValues) -> SampledValues:
        """The values of what stands in rows, a row each of what stands in a column."""
        return np.ascontiguousarray(self._decoded(side, stored.view(np.uint8), _APART).T)

    def _stretch(self, side: int, stop: int) -> SampledValues:
        """A run of each row up to ``stop``, from whole rows where these are short."""
        width = STORED_TYPES[self._tensors[side].values].bits // 8
        if self.columns * width > _WIDE_ROW:
            return self._rows_at(side, np.arange(stop, dtype=np.int64))
        start, run = self._run
        step = max(_BLOCK // (self.columns * width), 1)
        within = slice(start * width, (start + run) * width)
        parts = []
        for row in range(0, stop, step):
            rows = min(step, stop - row)
            raw = self._raw(side, [row * self.columns], rows * self.columns)
            parts.append(raw.reshape(rows, -1)[:, within].copy())
        return self._decoded(side, np.concatenate(parts))

    def _values(self, side: int, firsts: Sequence[int], run: int) -> SampledValues:
        """Runs of values of a side, a row each."""
        return self._decoded(side, self._raw(side, firsts, run).reshape(len(firsts), -1))

    def _raw(self, side: int, firsts: Sequence[int], run: int) -> npt.NDArray[np.uint8]:
        """The bytes of runs of values of a side, one after the other."""
        tensor: TensorInfo = self._tensors[side]
        raw = np.empty(len(firsts) * run * STORED_TYPES[tensor.values].bits // 8, np.uint8)
        self._budget.spend(raw.size)
        runs = raw.reshape(len(firsts), -1)
        for start in range(0, len(firsts), _READ_AT_ONCE):
            some = slice(start, start + _READ_AT_ONCE)
            self._looking()
            self._files[side].fill_clusters(tensor, firsts[some], runs[some].reshape(-1))
        return raw

    def _decoded(self, side: int, raw: npt.NDArray[np.uint8], apart: int = 0) -> SampledValues:
        """The values of rows of bytes, with room for so many between one row and the next."""
        stored = STORED_TYPES[self._tensors[side].values]
        run = raw.shape[1] * 8 // stored.bits
        values = np.empty((len(raw), run + apart), self._working)[:, :run]
        decode_into(raw, stored, values)
        return values
