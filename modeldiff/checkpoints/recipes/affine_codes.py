"""``code * scale + bias``, product and sum each rounded to the scales' own type: MLX's recipe, and
quanto's."""

from __future__ import annotations

import numpy as np

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    GRAINS,
    PACKINGS,
    ROUNDINGS,
    Scratch,
    packing_of,
)
from modeldiff.checkpoints.recipes.groups import GroupNumbers, StoredNumbers
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class AffineCodes:
    """The recipe. ``codes`` are bytes in the order of values, ``bits`` each; ``scales`` and
    ``biases`` have a number for each ``group`` of values, in the type that values come in."""

    words: str
    stored: str
    codes: TensorInfo
    bits: int
    group: int
    scales: TensorInfo
    biases: StoredNumbers

    lossy = True

    @property
    def grain(self) -> int:
        """Codes that are unpacked together."""
        return GRAINS[packing_of(self.bits)]

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Codes, scales and biases."""
        return self.codes, self.scales, *self.biases.operands

    def open(self, read: Fill) -> _Decoder:
        """Begin."""
        return _Decoder(self, StoredNumbers(self.scales).open(read), self.biases.open(read), read)


class _Decoder:
    def __init__(
        self, recipe: AffineCodes, scales: GroupNumbers, biases: GroupNumbers, read: Fill
    ) -> None:
        self._recipe, self._scales, self._biases = recipe, scales, biases
        self._coding = PACKINGS[packing_of(recipe.bits)], recipe.bits
        self._rounding = ROUNDINGS[recipe.scales.values]
        self._decode = CODE_KERNELS.load()["decode_affine"]
        self._read, self._scratch = read, Scratch()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        bits, group = self._recipe.bits, self._recipe.group
        begin, end = first * bits // 8, -(-last * bits // 8)
        stored = self._scratch.octets("stored", end - begin)
        self._read(self._recipe.codes, begin, stored.data)
        groups = first // group, (last - 1) // group + 1
        scales, biases = self._scales(*groups), self._biases(*groups)
        self._decode(
            stored.ctypes.data,
            *self._coding,
            first,
            last - first,
            group,
            scales.ctypes.data,
            biases.ctypes.data,
            self._rounding,
            self._scratch.room,
            np.frombuffer(out, np.uint8).ctypes.data,
        )
