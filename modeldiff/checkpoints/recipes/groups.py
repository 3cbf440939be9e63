"""What stands beside codes, a number for each group of them: scales, zero points, biases."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.recipes.code_kernels import Float32s
from modeldiff.checkpoints.recipes.small_floats import as_float32
from modeldiff.checkpoints.tensor import Fill, TensorInfo, TensorUnreadable
from modeldiff.processes.late_dataclass import dataclass

GroupNumbers = Callable[[int, int], Float32s]
"""The numbers of groups ``first`` to ``last``, in float32."""
MAX_STATE = 4096
"""Longest description of a tensor that is read."""
MAX_BLOCK = 1 << 20
"""The most elements that share a number by such a description."""
_TILE = (128, 4)


def read_raw(read: Fill, tensor: TensorInfo, first: int, last: int) -> npt.NDArray[np.uint8]:
    """Elements ``first`` to ``last`` of a plain tensor, as bytes. Raises what ``read`` raises."""
    raw = np.empty((last - first) * STORED_TYPES[tensor.values].bits // 8, np.uint8)
    read(tensor, first, raw.data)
    return raw


def read_all(read: Fill, tensor: TensorInfo) -> Float32s:
    """A small plain tensor as float32. Raises what ``read`` raises."""
    return as_float32(read_raw(read, tensor, 0, tensor.elements), tensor.values)


class Groups(Protocol):
    """Where the numbers of groups come from: a frozen value, as a recipe is."""

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The stored tensors that it takes."""
        ...

    def open(self, read: Fill) -> GroupNumbers:
        """Begin; reads what is small and needed all the time. Raises what ``read`` raises, and
        ``TensorUnreadable``."""
        ...


@dataclass(frozen=True)
class SameOfAll:
    """One number for every group."""

    number: float
    operands: tuple[TensorInfo, ...] = ()

    def open(self, read: Fill) -> GroupNumbers:
        """As ``Groups`` has it."""
        kept = np.empty(0, np.float32)

        def numbers(first: int, last: int) -> Float32s:
            nonlocal kept
            several = kept
            if several.size < last - first:
                several = kept = np.full(last - first, self.number, np.float32)
            return several[: last - first]

        return numbers


@dataclass(frozen=True)
class StoredNumbers:
    """A tensor with a number for each group. ``kind`` is the type that its bytes are read in,
    where the file's own says less: a power of two in a byte (``F8_E8M0``).

    ``whole`` is one number for all of the tensor, by which the others are multiplied, or divided if
    ``divides``. ``negated``: what is stored is to be taken away.
    """

    tensor: TensorInfo
    kind: str = ""
    whole: TensorInfo | None = None
    divides: bool = False
    negated: bool = False

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """As ``Groups`` has it."""
        return (self.tensor,) if self.whole is None else (self.tensor, self.whole)

    def open(self, read: Fill) -> GroupNumbers:
        """As ``Groups`` has it."""
        whole = None if self.whole is None else read_all(read, self.whole).reshape(-1)[0]
        kind = self.kind or self.tensor.values

        def numbers(first: int, last: int) -> Float32s:
            own = as_float32(read_raw(read, self.tensor, first, last), kind)
            if self.negated:
                np.negative(own, out=own)
            if whole is None:
                return own
            with np.errstate(all="ignore"):
                scaled: Float32s = own / whole if self.divides else own * whole
            return scaled

        return numbers


@dataclass(frozen=True)
class TiledNumbers:
    """Numbers of a matrix of groups, ``across`` of them a row, in the order in which the tensor
    cores of NVIDIA take them: in tiles of 128 rows and 4 columns, padded to whole ones; of a tile
    the first, second, third and fourth 32 rows beside each other (cuBLAS, "1D block scaling").
    ``numbers`` are as they are stored."""

    numbers: StoredNumbers
    rows: int
    across: int

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """As ``Groups`` has it."""
        return self.numbers.operands

    @property
    def stored_elements(self) -> int:
        """How many numbers the tiles hold."""
        return -(-self.rows // _TILE[0]) * -(-self.across // _TILE[1]) * prod(_TILE)

    def open(self, read: Fill) -> GroupNumbers:
        """As ``Groups`` has it."""
        stored = self.numbers.open(read)
        down, wide = _TILE
        tiles = -(-self.across // wide)
        a_row = tiles * down * wide  # numbers in a row of tiles

        def numbers(first: int, last: int) -> Float32s:
            begin, end = first // self.across // down, (last - 1) // self.across // down + 1
            some = stored(begin * a_row, end * a_row).reshape(end - begin, tiles, 32, 4, wide)
            whole = some.transpose(0, 3, 2, 1, 4).reshape((end - begin) * down, tiles * wide)
            flat = np.ascontiguousarray(whole[:, : self.across]).reshape(-1)
            skipped = begin * down * self.across
            return flat[first - skipped : last - skipped]

        return numbers


@dataclass(frozen=True)
class PackedDown:
    """Whole numbers of ``bits`` bits, packed into words along the rows of groups: ``across`` groups
    a row (compressed-tensors' zero points)."""

    words: TensorInfo
    bits: int
    across: int

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """As ``Groups`` has it."""
        return (self.words,)

    def open(self, read: Fill) -> GroupNumbers:
        """As ``Groups`` has it."""
        words = read_raw(read, self.words, 0, self.words.elements).view(np.uint32)
        rows = unpacked_words(words.reshape(-1, self.across).T, self.bits).T
        numbers = np.ascontiguousarray(rows).reshape(-1)
        return lambda first, last: numbers[first:last].astype(np.float32)


@dataclass(frozen=True)
class TwiceQuantised:
    """bitsandbytes' double quantisation: a code a group, ``table`` what codes stand for, a scale
    for each block of groups, and an offset in the JSON text ``state``."""

    codes: TensorInfo
    table: TensorInfo
    scales: TensorInfo
    state: TensorInfo

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """As ``Groups`` has it."""
        return self.codes, self.table, self.scales, self.state

    def open(self, read: Fill) -> GroupNumbers:
        """As ``Groups`` has it."""
        state = read_state(read, self.state)
        size, offset = state.get("nested_blocksize"), state.get("nested_offset")
        block = size if type(size) is int and 0 < size <= MAX_BLOCK else 0
        fits = block and -(-self.codes.elements // block) == self.scales.elements
        # A whole number in JSON may be longer than any float.
        number = type(offset) is float or (type(offset) is int and abs(offset) <= MAX_BLOCK)
        if not fits or not number:
            raise TensorUnreadable("its quant_state does not fit its nested scales")
        table, scales = read_all(read, self.table), read_all(read, self.scales)

        def of_groups(first: int, last: int) -> Float32s:
            codes = read_raw(read, self.codes, first, last)
            blocks = np.arange(first, last) // block
            with np.errstate(all="ignore"):
                numbers: Float32s = table[codes] * scales[blocks] + np.float32(offset)
            return numbers

        return of_groups


def read_state(read: Fill, tensor: TensorInfo) -> dict[str, Any]:
    """bitsandbytes' description of one tensor. Raises ``TensorUnreadable`` where it is none."""
    return parse_state(read_raw(read, tensor, 0, min(tensor.elements, MAX_STATE)).tobytes())


def parse_state(raw: bytes) -> dict[str, Any]:
    """The JSON object in bitsandbytes' ``quant_state``. Raises ``TensorUnreadable``."""
    try:
        state = json.loads(raw)
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict):
        raise TensorUnreadable("its quant_state is not a JSON object")
    return state


def unpacked_words(words: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.uint8]:
    """Codes of ``bits`` bits that lie one after the other in each row of words, lowest first."""
    octets = np.ascontiguousarray(words).view(np.uint8)
    if 8 % bits == 0:
        whole = np.empty((*octets.shape, 8 // bits), np.uint8)
        for place in range(8 // bits):
            whole[..., place] = octets >> np.uint8(place * bits) & np.uint8((1 << bits) - 1)
        return whole.reshape(len(octets), -1)
    flat = np.unpackbits(octets, axis=-1, bitorder="little")
    each = flat[:, : flat.shape[1] // bits * bits].reshape(len(flat), -1, bits)
    return np.packbits(each, axis=-1, bitorder="little")[..., 0]


def block_of(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, int] | None:
    """How many rows and columns of a matrix, or of each matrix of a stack, share a number, where
    numbers of the shape ``scales`` stand for it; None where they do not fit.

    >>> block_of((64, 256), (1,)), block_of((64, 256), (64,)), block_of((64, 256), (64, 2))
    ((64, 256), (1, 256), (1, 128))
    >>> block_of((576, 256), (5, 2)), block_of((8, 64, 256), (8, 1, 1)), block_of((64, 256), (3, 5))
    ((128, 128), (64, 256), None)
    """
    if len(shape) < 2 or not prod(shape) or not prod(scales):
        return None
    rows, columns = shape[-2:]
    stack = prod(shape[:-2])
    if prod(scales) == 1:
        return (rows * stack, columns)
    if scales == shape[:-1]:
        return 1, columns
    if len(shape) > 2 and scales == shape[:1]:
        return rows * prod(shape[1:-2]), columns
    if len(scales) != len(shape) or scales[:-2] != shape[:-2]:
        return None
    down, across = _block(rows, scales[-2]), _block(columns, scales[-1])
    return (down, across) if down and across and (stack == 1 or not rows % down) else None


def _block(size: int, count: int) -> int:
    """The elements in a block of which ``count`` cover ``size``: 128 where that fits, as whoever
    cuts the last one short has them; else all are alike. 0 where it can't be told."""
    if count == size:
        return 1
    if size % count == 0:
        return size // count
    return 128 if -(-size // 128) == count else 0
