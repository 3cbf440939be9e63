"""Codes that lie one upon another: a part of all of them in some bits of every word, the next part
in the next bits. HQQ begins with a word's highest bits, quanto with its lowest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.recipes.code_kernels import Scratch
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class StackedCodes:
    """The recipe of codes of ``bits`` bits, a byte each, that lie in little-endian words of
    ``width`` bytes, 1 or 4: the first ``parts`` runs of as many codes as there are words, in
    ascending bits, or descending from the highest that a whole number of codes reaches to
    (``high_first``). What the last run has too many is padding."""

    packed: TensorInfo
    bits: int
    width: int
    high_first: bool

    lossy = True
    grain = 1

    @property
    def parts(self) -> int:
        """How many codes are in a word."""
        return 8 * self.width // self.bits

    @property
    def each(self) -> int:
        """How many codes are in a part: as many as there are words."""
        return self.packed.elements // self.width

    @property
    def words(self) -> str:
        """How many bits."""
        return f"codes of {self.bits} bits, one upon another"

    @property
    def stored(self) -> str:
        """As the words."""
        return self.packed.dtype

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The words, as bytes."""
        return (self.packed,)

    def open(self, read: Fill) -> _Reader:
        """A reader that takes them apart."""
        return _Reader(self, read)


class _Reader:
    def __init__(self, recipe: StackedCodes, read: Fill) -> None:
        self._recipe, self._read, self._scratch = recipe, read, Scratch()
        self._kind: np.dtype[Any] = np.dtype("<u4" if recipe.width == 4 else "u1")

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with codes ``first`` to ``last``, part by part."""
        recipe, codes = self._recipe, np.frombuffer(out, np.uint8)
        while first < last:
            part, begin = divmod(first, recipe.each)
            count = min(last - first, recipe.each - begin)
            place = recipe.parts - 1 - part if recipe.high_first else part
            self._take(begin, place * recipe.bits, codes[:count])
            first, codes = first + count, codes[count:]

    def _take(self, begin: int, shift: int, codes: npt.NDArray[np.uint8]) -> None:
        """The codes that begin at bit ``shift`` of the words from ``begin`` on."""
        width = self._recipe.width
        raw = self._scratch.octets("packed", codes.size * width)
        self._read(self._recipe.packed, begin * width, raw.data)
        words = raw.view(self._kind)
        np.right_shift(words, words.dtype.type(shift), out=words)
        np.bitwise_and(words, words.dtype.type((1 << self._recipe.bits) - 1), out=words)
        codes[:] = words


def stack_codes(
    name: str, packed: TensorInfo, count: int, bits: int, *, width: int = 1, high_first: bool
) -> TensorInfo:
    """``count`` codes as bytes, of the bytes ``packed``; those of eight bits as they are. The rest
    as ``StackedCodes`` has it."""
    if bits == 8:
        return packed
    recipe = StackedCodes(packed, bits, width, high_first)
    return TensorInfo.made(name, (count,), "U8", recipe)
