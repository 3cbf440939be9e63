"""``code * scale + bias``: MLX's recipe, product and sum each rounded to the scales' own type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    GRAINS,
    TILE,
    TileScratch,
    Unpacker,
    packing_of,
)
from modeldiff.checkpoints.recipes.groups import GroupNumbers, StoredNumbers
from modeldiff.checkpoints.tensor import Fill, TensorInfo

_KERNELS = {"F32": "affine", "BF16": "affine_bf16", "F16": "affine_f16"}


@dataclass(frozen=True)
class AffineCodes:
    """The recipe. ``codes`` are bytes in the order of values, ``bits`` each; ``scales`` and
    ``biases`` have a number for each ``group`` of values, in the type that values come in."""

    codes: TensorInfo
    bits: int
    group: int
    scales: TensorInfo
    biases: TensorInfo

    lossy = True

    @property
    def words(self) -> str:
        """Bits and group."""
        return f"MLX {self.bits} bit, groups of {self.group:,}"

    @property
    def stored(self) -> str:
        """Bits and group, in short."""
        return f"MLX{self.bits}-g{self.group}"

    @property
    def grain(self) -> int:
        """Codes that are unpacked together."""
        return GRAINS[packing_of(self.bits)]

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Codes, scales and biases."""
        return self.codes, self.scales, self.biases

    def open(self, read: Fill) -> _Decoder:
        """Begin."""
        scales, biases = StoredNumbers(self.scales), StoredNumbers(self.biases)
        return _Decoder(self, scales.open(read), biases.open(read), read)


class _Decoder:
    def __init__(
        self, recipe: AffineCodes, scales: GroupNumbers, biases: GroupNumbers, read: Fill
    ) -> None:
        self._recipe, self._scales, self._biases = recipe, scales, biases
        self._unpacker = Unpacker(packing_of(recipe.bits), recipe.bits)
        self._kernel = CODE_KERNELS.load()[_KERNELS[recipe.scales.values]]
        self._read, self._scratch = read, TileScratch()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        bits, group = self._recipe.bits, self._recipe.group
        values = np.frombuffer(out, np.uint8)
        width = values.size // (last - first)
        begin, end = first * bits // 8, -(-last * bits // 8)
        stored = self._scratch.octets("stored", end - begin)
        self._read(self._recipe.codes, begin, stored.data)
        groups = first // group, (last - 1) // group + 1
        scales, biases = self._scales(*groups), self._biases(*groups)
        codes, target = stored.ctypes.data, values.ctypes.data
        numbers = scales.ctypes.data, biases.ctypes.data
        room = self._scratch.octets("codes", TILE + 8).ctypes.data
        for start in range(first, last, TILE):
            stop = min(start + TILE, last)
            at = start * bits // 8 - begin
            nbytes = -(-stop * bits // 8) - begin - at
            beside = 4 * (start // group - groups[0])
            self._kernel(
                self._unpacker.codes(codes + at, nbytes, room),
                start,
                stop - start,
                group,
                numbers[0] + beside,
                numbers[1] + beside,
                target + (start - first) * width,
            )
