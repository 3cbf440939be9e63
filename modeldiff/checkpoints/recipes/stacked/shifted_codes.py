"""``(code - zero) * scale``, the difference and the product each rounded to the scales' own type:
HQQ's recipe, whose zero points are no whole numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np

from modeldiff.checkpoints.recipes.code_kernels import CODE_KERNELS, ROUNDINGS, Scratch
from modeldiff.checkpoints.recipes.groups import GroupNumbers, StoredNumbers
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_KEPT = 1 << 22
"""So many numbers of groups are kept in memory, at most."""


@dataclass(frozen=True)
class ShiftedCodes:
    """The recipe. ``codes`` are bytes in the order of values. Of groups of ``group`` values each
    is a run, or takes every so-many-th value (``across``): ``scales`` and ``zeros`` have a number
    for each, in the type that values come in."""

    words: str
    stored: str
    codes: TensorInfo
    group: int
    spread: Literal["runs", "across"]
    scales: TensorInfo
    zeros: TensorInfo
    also: tuple[TensorInfo, ...] = ()

    lossy = True
    grain = 1

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Codes, and what they are read with."""
        return self.codes, self.scales, self.zeros, *self.also

    def open(self, read: Fill) -> _Decoder:
        """Begin."""
        scales, zeros = (self._numbers(each, read) for each in (self.scales, self.zeros))
        return _Decoder(self, scales, zeros, read)

    def _numbers(self, tensor: TensorInfo, read: Fill) -> GroupNumbers:
        """Those of groups: all at once where each turn of values takes all of them again."""
        numbers = StoredNumbers(tensor).open(read)
        if self.spread == "runs" or tensor.elements > _KEPT:
            return numbers
        kept = numbers(0, tensor.elements)
        return lambda first, last: kept[first:last]


class _Decoder:
    def __init__(
        self, recipe: ShiftedCodes, scales: GroupNumbers, zeros: GroupNumbers, read: Fill
    ) -> None:
        self._recipe, self._scales, self._zeros, self._read = recipe, scales, zeros, read
        self._width = 4 if recipe.scales.values == "F32" else 2
        self._decode = CODE_KERNELS.load()["decode_shifted"]
        self._scratch = Scratch()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        codes = self._scratch.octets("codes", last - first)
        self._read(self._recipe.codes, first, codes.data)
        if self._recipe.spread == "runs":
            self._shift(codes, first, last, self._recipe.group, out)
            return
        # A turn takes one value of each group: within it the n-th is of the n-th group.
        turn, done = self._recipe.scales.elements, first
        while done < last:
            begin = done % turn
            count = min(last - done, turn - begin)
            place = out[(done - first) * self._width : (done - first + count) * self._width]
            some = codes[done - first : done - first + count]
            self._shift(some, begin, begin + count, 1, place)
            done += count

    def _shift(
        self,
        codes: np.ndarray[tuple[int], np.dtype[np.uint8]],
        first: int,
        last: int,
        group: int,
        out: memoryview,
    ) -> None:
        groups = first // group, (last - 1) // group + 1
        scales, zeros = self._scales(*groups), self._zeros(*groups)
        self._decode(
            codes.ctypes.data,
            first,
            last - first,
            group,
            scales.ctypes.data,
            zeros.ctypes.data,
            ROUNDINGS[self._recipe.scales.values],
            self._scratch.room,
            np.frombuffer(out, np.uint8).ctypes.data,
        )
