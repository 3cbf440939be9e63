"""``(what a code stands for - zero) * scale``: the recipe of most quantised matrices.

FP8 and INT8 with a scale for the tensor, a row or a block; MXFP4, NVFP4, NF4; integers of a few
bits in words. What differs is how codes lie in bytes, what they stand for, and where scales come
from: each is an argument.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    GRAINS,
    PACKINGS,
    ROUNDINGS,
    CodeBytes,
    Float32s,
    Packing,
    Scratch,
)
from modeldiff.checkpoints.recipes.groups import GroupNumbers, Groups, SameOfAll, read_all, read_raw
from modeldiff.checkpoints.recipes.kernels.stages import E2M1, E4M3, SIGNED, TABLE, UNSIGNED
from modeldiff.checkpoints.recipes.small_floats import E2M1 as E2M1_VALUES
from modeldiff.checkpoints.recipes.small_floats import table8
from modeldiff.checkpoints.recipes.stored_codes import (
    CodeGrid,
    CodeKind,
    StoredCodes,
    bytes_beside,
)
from modeldiff.checkpoints.tensor import Fill, TensorInfo, TensorUnreadable
from modeldiff.processes.late_dataclass import dataclass

Rounding = Literal["F32", "F16", "BF16"]
"""The type that values are rounded to, once; F32 for as they are."""
_KINDS = {"unsigned": UNSIGNED, "signed": SIGNED, "E2M1": E2M1, "F8_E4M3": E4M3}
NO_ZEROS = SameOfAll(0.0)
_HANDED_OUT: dict[tuple[Packing, int], CodeKind] = {
    ("octets", 8): "8 bits",
    ("low nibbles", 4): "4 bits",
    ("high nibbles", 4): "4 bits, high first",
    ("quarters", 2): "2 bits",
}
"""The ways in which codes lie that are of use to others as they are."""


@dataclass(frozen=True)
class Grid:
    """Which values share a scale: blocks of rows and columns of a matrix with so many columns."""

    columns: int
    block_rows: int
    block_columns: int

    @classmethod
    def flat(cls, group: int) -> Grid:
        """Runs of ``group`` elements, whatever the matrix."""
        return cls(group, 1, group)

    @classmethod
    def of(cls, columns: int, block: tuple[int, int]) -> Grid:
        """Blocks of a matrix; as runs, where each is one."""
        rows, across = block
        return cls.flat(across) if rows == 1 and columns % across == 0 else cls(columns, *block)

    def groups(self, first: int, last: int) -> tuple[int, int]:
        """The groups that elements ``first`` to ``last`` need, and those beside them in their rows
        of blocks."""
        across = -(-self.columns // self.block_columns)
        rows = self.columns * self.block_rows
        return first // rows * across, ((last - 1) // rows + 1) * across


@dataclass(frozen=True)
class Coding:
    """How codes of ``bits`` bits lie in bytes, and what they stand for: ``signed`` or
    ``unsigned`` numbers, a float type's values, or the ``table`` of a file."""

    packing: Packing
    bits: int
    stands_for: str
    table: TensorInfo | None = None

    @property
    def kind(self) -> int:
        """As the kernels count the ways."""
        return _KINDS.get(self.stands_for, TABLE)

    def values(self, read: Fill) -> Float32s:
        """The 256 values of a byte, where a table has them. Raises ``TensorUnreadable``."""
        if self.kind != TABLE:
            return np.zeros(256, np.float32)
        own = table8(self.stands_for) if self.table is None else read_all(read, self.table)
        if own.size != 1 << self.bits:
            raise TensorUnreadable(f"its table has {own.size:,} entries, not {1 << self.bits}")
        return np.resize(own, 256)


@dataclass(frozen=True)
class ScaledCodes:
    """The recipe. ``codes`` are bytes in the order of values, rows after rows without a gap.

    ``order`` are the numbers of each column's group where groups are no runs (GPTQ's activation
    order), for codes that stand for themselves. ``factor`` multiplies every value at last, in
    float32. ``also`` are tensors that say nothing that is not known without them.
    """

    words: str
    stored: str
    codes: TensorInfo
    coding: Coding
    grid: Grid
    scales: Groups
    zeros: Groups = NO_ZEROS
    rounding: Rounding = "F32"
    order: TensorInfo | None = None
    factor: float = 1.0
    also: tuple[TensorInfo, ...] = ()

    lossy = True

    @property
    def grain(self) -> int:
        """Codes that are unpacked together."""
        return GRAINS[self.coding.packing]

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Codes, and what they are read with."""
        order = () if self.order is None else (self.order,)
        table = () if self.coding.table is None else (self.coding.table,)
        beside = (*self.scales.operands, *self.zeros.operands, *order, *table, *self.also)
        return (self.codes, *dict.fromkeys(beside))

    def open(self, read: Fill) -> _Decoder:
        """Begin. Raises what ``read`` raises, and ``TensorUnreadable``."""
        order = None if self.order is None else read_order(read, self.order, self.grid)
        arithmetic = Arithmetic(
            self.coding, self.grid, self.rounding, self.coding.values(read), order, self.factor
        )
        return _Decoder(self, arithmetic, self.scales.open(read), self.zeros.open(read), read)


def read_order(read: Fill, tensor: TensorInfo, grid: Grid) -> npt.NDArray[np.uint32] | None:
    """The group of each column; None where groups are the runs of the ``grid``. Raises
    ``TensorUnreadable`` where there is no such group."""
    order = read_raw(read, tensor, 0, tensor.elements).view(np.int32)
    groups = -(-grid.columns // grid.block_columns)
    if order.size != grid.columns or order.min() < 0 or order.max() >= groups:
        raise TensorUnreadable(f"its g_idx names groups that are not there: it has {groups:,}")
    runs = np.arange(grid.columns, dtype=np.int32) // grid.block_columns
    return None if np.array_equal(order, runs) else order.astype(np.uint32)


def _stands_for(coding: Coding, table: Float32s) -> Float32s:
    """What a code stands for, 256 numbers, whichever way the kernels find it."""
    if coding.kind == UNSIGNED:
        return np.arange(256, dtype=np.float32)
    if coding.kind == SIGNED:
        return np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32)
    if coding.kind == E2M1:
        return np.resize(E2M1_VALUES, 256)
    return table8("F8_E4M3") if coding.kind == E4M3 else table


class Arithmetic:
    """Codes in bytes to values, with what never changes for a tensor at hand."""

    def __init__(
        self,
        coding: Coding,
        grid: Grid,
        rounding: Rounding,
        table: Float32s,
        order: npt.NDArray[np.uint32] | None,
        factor: float = 1.0,
    ) -> None:
        self._coding = PACKINGS[coding.packing], coding.bits
        self.table, self._kept = table, order  # kept for their addresses, too
        self._stands = coding.kind, table.ctypes.data
        self._grid, self._rounding, self._factor = grid, ROUNDINGS[rounding], np.float32(factor)
        self._order = 0 if order is None else order.ctypes.data
        self._across = -(-grid.columns // grid.block_columns)
        kernels = CODE_KERNELS.load()
        self._decode, self._by_column = kernels["decode_by_block"], kernels["decode_by_column"]
        self._scratch = Scratch()

    def fill(
        self,
        stored: CodeBytes,
        first: int,
        last: int,
        groups: tuple[Float32s, Float32s],
        out: memoryview,
    ) -> None:
        """Fill ``out`` with values ``first`` to ``last``, whose codes ``stored`` is; ``groups`` are
        scales and zeros of ``grid.groups(first, last)``."""
        values, grid, count = np.frombuffer(out, np.uint8), self._grid, last - first
        scales, zeros = (each.ctypes.data for each in groups)
        end = self._rounding, self._scratch.room, values.ctypes.data
        begin, columns = (stored.ctypes.data, *self._coding), grid.columns
        if self._order:
            by_column = columns, self._order, self._across, scales, zeros
            self._by_column(*begin, first, count, *by_column, *end)
        else:
            kind, table = self._stands
            by_block = columns, grid.block_rows, grid.block_columns, table, scales, zeros
            self._decode(*begin, kind, first, count, *by_block, *end)
        if self._factor != 1:
            whole = values.view(np.float32)
            np.multiply(whole, self._factor, out=whole)


class _Decoder:
    def __init__(
        self,
        recipe: ScaledCodes,
        arithmetic: Arithmetic,
        scales: GroupNumbers,
        zeros: GroupNumbers,
        read: Fill,
    ) -> None:
        self._codes, self._bits, self._grid = recipe.codes, recipe.coding.bits, recipe.grid
        self._recipe = recipe
        self._arithmetic, self._scales, self._zeros = arithmetic, scales, zeros
        self._read, self._scratch = read, Scratch()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        begin, end = first * self._bits // 8, -(-last * self._bits // 8)
        stored = self._scratch.octets("stored", end - begin)
        self._read(self._codes, begin, stored.data)
        groups = self._grid.groups(first, last)
        numbers = self._scales(*groups), self._zeros(*groups)
        self._arithmetic.fill(stored, first, last, numbers, out)

    @property
    def kind(self) -> CodeKind | None:
        """As ``CodeReader`` has it."""
        recipe = self._recipe
        if recipe.order is not None or recipe.factor != 1:
            return None
        return _HANDED_OUT.get((recipe.coding.packing, recipe.coding.bits))

    def read_codes(self, first: int, last: int, out: memoryview) -> StoredCodes | None:
        """As ``CodeReader`` has it."""
        recipe, grid = self._recipe, self._grid
        begin, end = first * self._bits // 8, -(-last * self._bits // 8)
        groups = grid.groups(first, last)
        if self.kind is None or end - begin + bytes_beside(groups[1] - groups[0]) > len(out):
            return None
        self._read(self._codes, begin, out[: end - begin])
        scales, zeros = self._scales(*groups), self._zeros(*groups)

        def decode(stored: CodeBytes, values: memoryview) -> None:
            self._arithmetic.fill(stored, first, last, (scales, zeros), values)

        return StoredCodes(
            self.kind,
            end - begin,
            decode,
            _stands_for(recipe.coding, self._arithmetic.table),
            CodeGrid(
                grid.columns,
                grid.block_rows,
                grid.block_columns,
                first % (grid.columns * grid.block_rows),
            ),
            scales,
            zeros if recipe.zeros != NO_ZEROS else zeros[:0],
            recipe.rounding,
        )
