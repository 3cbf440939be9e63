"""Codes stored with what goes in as rows, as GPTQ and AWQ do, decoded as [out, in].

A run of outputs is a panel of columns in the file. It is read and turned once, and kept while the
values of its rows are asked for: so a file is read once, and memory holds a few panels.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    CodeBytes,
    Float32s,
    Scratch,
    packing_of,
)
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.recipes.groups import read_all, read_raw, unpacked_words
from modeldiff.checkpoints.recipes.scaled_codes import (
    Arithmetic,
    Coding,
    Grid,
    Rounding,
    read_order,
)
from modeldiff.checkpoints.tensor import Fill, TensorInfo

PANEL = 32 << 20
"""Bytes of codes in a panel, at most, but for the widest of matrices."""
_TURNED = 1 << 20
"""Bytes of codes that are turned at once."""
_KEPT = 2
"""Panels of a tensor that are kept: threads that share a tensor are at neighbouring ranges."""
_WORD = 32
AWQ_ORDER = np.array([0, 4, 1, 5, 2, 6, 3, 7])
"""Where the first, second, … output of a word of AWQ's stands among its codes."""


@dataclass(frozen=True)
class ColumnCodes:
    """The recipe of a matrix [out, in] whose ``codes`` are words [in, out] with several inputs
    (``packed`` along ``inputs``, GPTQ) or eight outputs (``outputs``, AWQ) in each.

    ``scales`` are [groups, out], ``zeros`` words [groups, out] packed along the outputs, with
    ``more`` to be added to each (1 for GPTQ's first form). ``order`` is the group of each input,
    where groups are no runs. ``also`` as ``ScaledCodes`` has it.
    """

    words: str
    stored: str
    codes: TensorInfo
    bits: int
    packed: Literal["inputs", "outputs"]
    shape: tuple[int, int]
    group: int
    scales: TensorInfo
    zeros: TensorInfo | None
    more: int
    rounding: Rounding
    order: TensorInfo | None = None
    also: tuple[TensorInfo, ...] = ()

    grain = 1
    lossy = True

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Codes, and what they are read with."""
        beside = (self.scales, self.zeros, self.order, *self.also)
        return (self.codes, *(tensor for tensor in beside if tensor is not None))

    def open(self, read: Fill) -> _PanelDecoder:
        """Begin. Raises what ``read`` raises, and ``TensorUnreadable``."""
        return _PanelDecoder(self, read)


class _Panel(NamedTuple):
    """Rows of words, and the scales and zeros of each output."""

    codes: npt.NDArray[np.uint8]
    scales: Float32s
    zeros: Float32s


class _PanelDecoder:
    def __init__(self, recipe: ColumnCodes, read: Fill) -> None:
        self._recipe, self._read = recipe, read
        outputs, inputs = recipe.shape
        column = inputs * recipe.bits
        self._width = min(max(PANEL * 8 // column // _WORD, 1) * _WORD, outputs)
        self._grid = Grid(inputs, 1, recipe.group)
        order = None if recipe.order is None else read_order(read, recipe.order, self._grid)
        # What AWQ packs otherwise is unpacked with its panel.
        bits = recipe.bits if recipe.packed == "inputs" else 8
        coding = Coding(packing_of(bits), bits, "unsigned")
        none = np.zeros(256, np.float32)
        self._bits = bits
        self._arithmetic = Arithmetic(coding, self._grid, recipe.rounding, none, order)
        kernels = CODE_KERNELS.load()
        self._turn, self._outputs = kernels["turn_words"], kernels["outputs_of_words"]
        self._scratch = Scratch()
        self._lock = threading.Lock()
        self._panels: OrderedDict[int, _Panel] = OrderedDict()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        inputs = self._recipe.shape[1]
        width = len(out) // (last - first)
        size = self._width * inputs
        for number in range(first // size, (last - 1) // size + 1):
            start, stop = max(first, number * size), min(last, (number + 1) * size)
            room = out[(start - first) * width : (stop - first) * width]
            self._fill_from(self._panel(number), start - number * size, stop - number * size, room)

    def _fill_from(self, panel: _Panel, first: int, last: int, out: memoryview) -> None:
        per_byte = 8 // self._bits if 8 % self._bits == 0 else 8
        begin, end = first - first % per_byte, last + -last % per_byte
        stored = self._packed(panel, begin, end)
        groups = self._grid.groups(begin, end)
        numbers = panel.scales[groups[0] :], panel.zeros[groups[0] :]
        if (begin, end) == (first, last):
            self._arithmetic.fill(stored, first, last, numbers, out)
            return
        width = len(out) // (last - first)
        beside = np.empty((end - begin) * width, np.uint8)
        self._arithmetic.fill(stored, begin, end, numbers, beside.data)
        np.frombuffer(out, np.uint8)[:] = beside[(first - begin) * width :][: len(out)]

    def _packed(self, panel: _Panel, first: int, last: int) -> CodeBytes:
        """The codes of elements ``first`` to ``last``, as the arithmetic takes them."""
        if self._recipe.packed == "inputs":
            return panel.codes[first * self._bits // 8 : last * self._bits // 8]
        codes = self._scratch.octets("codes", last - first)
        source, inputs = panel.codes.ctypes.data, self._recipe.shape[1]
        self._outputs(source, first, last - first, inputs, codes.ctypes.data)
        return codes

    def _panel(self, number: int) -> _Panel:
        with self._lock:  # held while it is read: the others would want it, too
            panel = self._panels.get(number)
            if panel is None:
                panel = self._panels[number] = self._read_panel(number)
                if len(self._panels) > _KEPT:
                    self._panels.popitem(last=False)
            else:
                self._panels.move_to_end(number)
        return panel

    def _read_panel(self, number: int) -> _Panel:
        recipe = self._recipe
        first = number * self._width
        last = min(first + self._width, recipe.shape[0])
        columns = self._columns(recipe.scales, first, last)
        scales = read_all(self._read, columns).reshape(-1, last - first)
        zeros = self._zeros(first, last, len(scales))
        return _Panel(self._codes(first, last), self._turned(scales), zeros)

    def _codes(self, first: int, last: int) -> CodeBytes:
        """The words of these outputs with the outputs as rows. They are read and turned some rows
        at a time, so that each is turned while it is in the processor's cache."""
        recipe = self._recipe
        each = 1 if recipe.packed == "inputs" else _WORD // recipe.bits
        height, columns = recipe.codes.shape[0], (last - first) // each
        words = self._columns(recipe.codes, first // each, last // each)
        turned = np.empty(4 * height * columns, np.uint8)
        at, rows = turned.ctypes.data, max(_TURNED // (4 * columns), 1)
        room = self._scratch.room
        for row in range(0, height, rows):
            count = min(rows, height - row)
            some = self._scratch.octets("words", 4 * count * columns)
            self._read(words, row * columns, some.data)
            self._turn(some.ctypes.data, count, columns, height, room, at + 4 * row)
        return turned

    def _zeros(self, first: int, last: int, groups: int) -> Float32s:
        recipe = self._recipe
        if recipe.zeros is None:
            return np.full(groups * (last - first), 1 << recipe.bits - 1, np.float32)
        begin, end = first * recipe.bits // _WORD, -(-last * recipe.bits // _WORD)
        columns = self._columns(recipe.zeros, begin, end)
        raw = read_raw(self._read, columns, 0, columns.elements)
        words = raw.view(np.uint32).reshape(-1, end - begin)
        codes = unpacked_words(words, recipe.bits)
        if recipe.packed == "outputs":
            codes = codes.reshape(len(codes), -1, 8)[..., AWQ_ORDER].reshape(len(codes), -1)
        zeros = codes[:, : last - first].astype(np.float32)
        zeros += np.float32(recipe.more)
        return self._turned(zeros)

    def _turned(self, numbers: Float32s) -> Float32s:
        """The transpose, flat."""
        turned = np.empty(numbers.size, np.float32)
        rows, columns = numbers.shape
        room = self._scratch.room
        self._turn(numbers.ctypes.data, rows, columns, rows, room, turned.ctypes.data)
        return turned

    def _columns(self, tensor: TensorInfo, first: int, last: int) -> TensorInfo:
        """Columns ``first`` to ``last`` of a stored matrix, row by row."""
        rows, columns = tensor.shape
        whole = (first, last) == (0, columns)
        strides = () if whole else ((rows, columns), (last - first, 1))
        return slice_elements(tensor, (rows, last - first), first, strides, "")
