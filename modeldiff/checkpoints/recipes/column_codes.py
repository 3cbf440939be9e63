"""Codes stored with what goes in as rows, as GPTQ and AWQ do, decoded as [out, in].

A run of outputs is a panel of columns in the file. It is read once, and kept while the values of
its rows are asked for: so a file is read once, and memory holds a few panels. How values are made
and turned says ``kernels.column_strips``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    ROUNDINGS,
    CodeBytes,
    Float32s,
    Scratch,
)
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.recipes.groups import read_all, read_raw, unpacked_words
from modeldiff.checkpoints.recipes.kernels.stages import AWQ_ORDER, INPUTS_A_TURN, OUTPUTS_A_STRIP
from modeldiff.checkpoints.recipes.scaled_codes import Grid, Rounding, read_order
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

WHOLE = 128 << 20
"""Up to so many bytes of codes are one panel: then they are read in the order of the file."""
PANEL = 32 << 20
"""Bytes of codes in a panel of a larger matrix, at most, but for the widest."""
_RUN = 1 << 13
"""Inputs that are decoded at once where outputs are no whole strip; whole turns."""
_KEPT = 2
"""Panels of a tensor that are kept: threads that share a tensor are at neighbouring ranges."""
_WORD = 32
_Words = npt.NDArray[np.uint32]
_Number = TypeVar("_Number", np.uint32, np.float32)


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


def panel_elements(recipe: ColumnCodes) -> int:
    """How many values a panel of a matrix has, all of whole outputs."""
    outputs, inputs = recipe.shape
    column = inputs * recipe.bits
    if outputs * column <= WHOLE * 8:
        return outputs * inputs
    return min(max(PANEL * 8 // column // _WORD, 1) * _WORD, outputs) * inputs


class _Panel(NamedTuple):
    """Words as they are stored, and scales and zeros of each group and output: at least as many
    outputs and inputs as are decoded together."""

    words: _Words
    scales: Float32s
    zeros: Float32s


class _PanelDecoder:
    def __init__(self, recipe: ColumnCodes, read: Fill) -> None:
        self._recipe, self._read = recipe, read
        inputs = recipe.shape[1]
        self._width = panel_elements(recipe) // inputs
        order = None
        if recipe.order is not None:
            order = read_order(read, recipe.order, Grid(inputs, 1, recipe.group))
        if order is None:
            order = np.arange(inputs, dtype=np.uint32) // np.uint32(recipe.group)
        self._inputs = max(inputs, INPUTS_A_TURN)
        self._order = _at_least(order.reshape(1, -1), 1, self._inputs)
        self._by_outputs = recipe.packed == "outputs"
        self._whole = 8 if self._by_outputs else 1
        self._decode = CODE_KERNELS.load()["decode_columns"]
        self._scratch = Scratch()
        self._lock = threading.Lock()
        self._panels: OrderedDict[int, _Panel] = OrderedDict()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        inputs = self._recipe.shape[1]
        width = len(out) // (last - first)
        size = self._width * inputs
        values = np.frombuffer(out, np.uint8).reshape(-1, width)
        for number in range(first // size, (last - 1) // size + 1):
            start, stop = max(first, number * size), min(last, (number + 1) * size)
            room = values[start - first : stop - first]
            self._fill_from(self._panel(number), start - number * size, room)

    def _fill_from(self, panel: _Panel, first: int, out: CodeBytes) -> None:
        """A part of a row, whole rows, and a part of the last."""
        inputs = self._recipe.shape[1]
        row, column = divmod(first, inputs)
        if column:
            head = min(inputs - column, len(out))
            self._fill_part(panel, (row, row + 1), (column, column + head), out[:head])
            row, out = row + 1, out[head:]
        rows, rest = divmod(len(out), inputs)
        # Outputs of one word begin and end together.
        begin, end = row + -row % self._whole, (row + rows) // self._whole * self._whole
        if end - begin < OUTPUTS_A_STRIP or inputs < INPUTS_A_TURN:
            begin = end = row
        places = [(each - row) * inputs for each in (begin, end, row + rows)]
        if begin < end:
            room = out[places[0] : places[1]]
            self._decode_box(panel, (begin, end), (0, inputs), inputs, room)
        self._fill_part(panel, (row, begin), (0, inputs), out[: places[0]])
        self._fill_part(panel, (end, row + rows), (0, inputs), out[places[1] : places[2]])
        if rest:
            self._fill_part(panel, (row + rows, row + rows + 1), (0, rest), out[places[2] :])

    def _fill_part(
        self, panel: _Panel, rows: tuple[int, int], columns: tuple[int, int], out: CodeBytes
    ) -> None:
        """Any rows and columns, by way of strips that hold them."""
        last, width = rows[1], out.shape[1]
        values = out.reshape(rows[1] - rows[0], columns[1] - columns[0], width)
        row = rows[0]
        while row < last:
            start = min(row - row % self._whole, panel.scales.shape[1] - OUTPUTS_A_STRIP)
            stop = min(last, start + OUTPUTS_A_STRIP)
            for column in range(columns[0] - columns[0] % INPUTS_A_TURN, columns[1], _RUN):
                begin = min(column, self._inputs - INPUTS_A_TURN)
                end = min(column + _RUN, columns[1] + -columns[1] % INPUTS_A_TURN, self._inputs)
                some = self._scratch.octets("strip", OUTPUTS_A_STRIP * (end - begin) * width)
                box = (start, start + OUTPUTS_A_STRIP), (begin, end)
                self._decode_box(panel, *box, end - begin, some)
                strip = some.reshape(OUTPUTS_A_STRIP, end - begin, width)
                left, right = max(column, columns[0]), min(end, columns[1])
                values[row - rows[0] : stop - rows[0], left - columns[0] : right - columns[0]] = (
                    strip[row - start : stop - start, left - begin : right - begin]
                )
            row = stop

    def _decode_box(
        self,
        panel: _Panel,
        outputs: tuple[int, int],
        inputs: tuple[int, int],
        height: int,
        out: CodeBytes,
    ) -> None:
        self._decode(
            panel.words.ctypes.data,
            panel.words.shape[1],
            self._by_outputs,
            self._recipe.bits,
            self._order.ctypes.data,
            panel.scales.ctypes.data,
            panel.zeros.ctypes.data,
            panel.scales.shape[1],
            outputs[0],
            outputs[1] - outputs[0],
            inputs[0],
            inputs[1] - inputs[0],
            ROUNDINGS[self._recipe.rounding],
            height,
            out.ctypes.data,
        )

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
        scales[np.isnan(scales)] = np.nan  # one without a payload, as rounding wants it
        zeros = self._zeros(first, last, len(scales))
        outputs = max(last - first, OUTPUTS_A_STRIP)
        each = _WORD // recipe.bits if self._by_outputs else 1
        rows = self._inputs if self._by_outputs else self._inputs * recipe.bits // _WORD
        words = self._words(recipe.codes, first // each, last // each)
        return _Panel(
            _at_least(words, rows, outputs // each),
            _at_least(scales, len(scales), outputs),
            _at_least(zeros, len(zeros), outputs),
        )

    def _zeros(self, first: int, last: int, groups: int) -> Float32s:
        recipe = self._recipe
        if recipe.zeros is None:
            return np.full((groups, last - first), 1 << recipe.bits - 1, np.float32)
        begin, end = first * recipe.bits // _WORD, -(-last * recipe.bits // _WORD)
        codes = unpacked_words(self._words(recipe.zeros, begin, end), recipe.bits)
        if self._by_outputs:
            codes = codes.reshape(len(codes), -1, 8)[..., AWQ_ORDER].reshape(len(codes), -1)
        return codes[:, : last - first].astype(np.float32, order="C") + np.float32(recipe.more)

    def _words(self, tensor: TensorInfo, first: int, last: int) -> _Words:
        """Columns ``first`` to ``last`` of a matrix of words."""
        columns = self._columns(tensor, first, last)
        raw = read_raw(self._read, columns, 0, columns.elements)
        return raw.view(np.uint32).reshape(-1, last - first)

    def _columns(self, tensor: TensorInfo, first: int, last: int) -> TensorInfo:
        """Columns ``first`` to ``last`` of a stored matrix, row by row."""
        rows, columns = tensor.shape
        whole = (first, last) == (0, columns)
        strides = () if whole else ((rows, columns), (last - first, 1))
        return slice_elements(tensor, (rows, last - first), first, strides, "")


def _at_least(numbers: npt.NDArray[_Number], rows: int, columns: int) -> npt.NDArray[_Number]:
    """The matrix row by row, with zeros below and beside it where it has fewer rows or columns."""
    more = max(rows - numbers.shape[0], 0), max(columns - numbers.shape[1], 0)
    padded = np.pad(numbers, ((0, more[0]), (0, more[1]))) if any(more) else numbers
    return np.ascontiguousarray(padded)
