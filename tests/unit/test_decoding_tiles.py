"""Codes decoded from any element on, over tiles, rows and blocks that end nowhere together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from modeldiff.checkpoints.recipes.code_kernels import (
    CODE_KERNELS,
    GRAINS,
    PACKINGS,
    ROUNDINGS,
    Packing,
    Scratch,
)
from modeldiff.checkpoints.recipes.kernels.stages import TILE
from modeldiff.checkpoints.recipes.scaled_codes import Arithmetic, Coding, Grid, Rounding
from modeldiff.checkpoints.recipes.small_floats import table8

ROWS, COLUMNS = 67, 312
BLOCK = (5, 48)
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
random = np.random.default_rng(7)


def packed(codes: npt.NDArray[np.uint8], packing: Packing, bits: int) -> npt.NDArray[np.uint8]:
    """Codes as bytes, by bits; of high nibbles the halves change places."""
    flat = np.unpackbits(codes[:, np.newaxis], axis=1, count=bits, bitorder="little").reshape(-1)
    octets: npt.NDArray[np.uint8] = np.packbits(flat, bitorder="little")
    if packing != "high nibbles":
        return octets
    return (octets << 4 | octets >> 4).astype(np.uint8)


def rounded(values: npt.NDArray[np.float32], kind: Rounding) -> npt.NDArray[np.float32]:
    numbers: npt.NDArray[Any] = torch.from_numpy(values).to(TYPES[kind]).float().numpy()
    return numbers


@pytest.mark.parametrize("rounding", TYPES)
@pytest.mark.parametrize(
    ("packing", "bits", "stands_for"),
    [
        ("octets", 8, "signed"),
        ("octets", 8, "F8_E4M3"),
        ("octets", 8, "F8_E5M2"),
        ("low nibbles", 4, "unsigned"),
        ("low nibbles", 4, "E2M1"),
        ("high nibbles", 4, "table"),
        ("low nibbles", 4, "table"),
        ("quarters", 2, "unsigned"),
        ("stream", 3, "unsigned"),
        ("stream", 5, "unsigned"),
    ],
)
def test_any_range_is_the_formula(
    packing: Packing, bits: int, stands_for: str, rounding: Rounding
) -> None:
    codes = random.integers(0, 1 << bits, ROWS * COLUMNS).astype(np.uint8)
    table = np.resize(random.standard_normal(1 << bits).astype(np.float32), 256)
    grid = Grid(COLUMNS, *BLOCK)
    down, across = -(-ROWS // BLOCK[0]), -(-COLUMNS // BLOCK[1])
    scales, zeros = random.standard_normal((2, down * across)).astype(np.float32)
    four_bits = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
    numbers = {
        "signed": codes.view(np.int8).astype(np.float32),
        "unsigned": codes.astype(np.float32),
        "E2M1": np.concatenate([four_bits, -four_bits])[codes & 15],
        "table": table[codes],
    }
    if stands_for.startswith("F8"):
        table = table8(stands_for)
        numbers[stands_for] = table[codes]
    element = np.arange(codes.size)
    group = element // COLUMNS // BLOCK[0] * across + element % COLUMNS // BLOCK[1]
    exact = (numbers[stands_for] - zeros[group]) * scales[group]
    whole = rounded(exact, rounding)
    stored = packed(codes, packing, bits)
    arithmetic = Arithmetic(Coding(packing, bits, stands_for), grid, rounding, table, None)
    for first, last in ((0, codes.size), (8, 16), (6000, 6000 + TILE + 96), (15_512, codes.size)):
        assert first % GRAINS[packing] == 0
        groups = slice(*grid.groups(first, last))
        out = np.empty(last - first, {"F32": np.uint32}.get(rounding, np.uint16))
        part = stored[first * bits // 8 : -(-last * bits // 8)].copy()
        arithmetic.fill(part, first, last, (scales[groups], zeros[groups]), out.data.cast("B"))
        raw = torch.from_numpy(out.view(np.int32 if rounding == "F32" else np.int16))
        values = raw.view(TYPES[rounding]).float().numpy()
        np.testing.assert_array_equal(values, whole[first:last])


def values_of(words: npt.NDArray[Any], rounding: Rounding) -> npt.NDArray[np.float32]:
    raw = torch.from_numpy(words.view(np.int32 if rounding == "F32" else np.int16))
    values: npt.NDArray[np.float32] = raw.view(TYPES[rounding]).float().numpy()
    return values


def hostile(count: int) -> npt.NDArray[np.float32]:
    """Numbers that bfloat16 can be, zeros, infinities and NaN among them."""
    numbers = random.standard_normal(count).astype(np.float32)
    numbers[:6] = 0, -0.0, np.inf, -np.inf, np.nan, 1e38
    return rounded(random.permutation(numbers), "BF16")


@pytest.mark.parametrize("rounding", TYPES)
@pytest.mark.parametrize("packing", ["low nibbles", "high nibbles"])
@pytest.mark.parametrize("group", [32, 48, 64, 96, 128])
class TestGroupsOfFourBits:
    """Groups of some lengths are looked up, others go through the tiles: whole groups, and what
    lies before and behind them."""

    RANGES = ((0, 9000), (6, 8991), (130, 200), (2, 30), (128, 256), (9000 - 34, 9000))

    def given(
        self, group: int, packing: Packing
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        codes = random.integers(0, 16, 9000).astype(np.uint8)
        return codes, packed(codes, packing, 4), np.arange(9000) // group

    @pytest.mark.parametrize("stands_for", ["unsigned", "E2M1", "table"])
    def test_scaled(
        self, stands_for: str, group: int, packing: Packing, rounding: Rounding
    ) -> None:
        codes, stored, groups = self.given(group, packing)
        table = np.resize(hostile(16), 256)
        numbers = {"unsigned": codes.astype(np.float32), "table": table[codes]}
        four_bits = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
        numbers["E2M1"] = np.concatenate([four_bits, -four_bits])[codes]
        scales, zeros = hostile(groups[-1] + 1), hostile(groups[-1] + 1)
        with np.errstate(all="ignore"):
            exact = (numbers[stands_for] - zeros[groups]) * scales[groups]
        grid = Grid.flat(group)
        arithmetic = Arithmetic(Coding(packing, 4, stands_for), grid, rounding, table, None)
        for first, last in self.RANGES:
            own = slice(*grid.groups(first, last))
            out = np.empty(last - first, np.uint32 if rounding == "F32" else np.uint16)
            part = stored[first // 2 : -(-last // 2)].copy()
            arithmetic.fill(part, first, last, (scales[own], zeros[own]), out.data.cast("B"))
            wanted = rounded(exact, rounding)[first:last]
            np.testing.assert_array_equal(values_of(out, rounding), wanted)

    def test_affine(self, group: int, packing: Packing, rounding: Rounding) -> None:
        codes, stored, groups = self.given(group, packing)
        scales, biases = hostile(groups[-1] + 1), hostile(groups[-1] + 1)
        with np.errstate(all="ignore"):
            product = rounded(codes.astype(np.float32) * scales[groups], rounding)
            wanted = rounded(product + biases[groups], rounding)
        scratch = Scratch()
        for first, last in self.RANGES:
            out = np.empty(last - first, np.uint32 if rounding == "F32" else np.uint16)
            part = stored[first // 2 : -(-last // 2)].copy()
            own = slice(first // group, None)
            own_scales, own_biases = scales[own].copy(), biases[own].copy()
            CODE_KERNELS.load()["decode_affine"](
                *(part.ctypes.data, PACKINGS[packing], 4, first, last - first, group),
                *(own_scales.ctypes.data, own_biases.ctypes.data, ROUNDINGS[rounding]),
                *(scratch.room, out.ctypes.data),
            )
            np.testing.assert_array_equal(values_of(out, rounding), wanted[first:last])


def test_a_zero_point_that_is_no_number_makes_no_numbers() -> None:
    full = np.array([0x7FFFFFFF], np.uint32).view(np.float32)
    scales = np.ones(1, np.float32)
    grid = Grid.flat(16)
    coding = Coding("octets", 8, "unsigned")
    arithmetic = Arithmetic(coding, grid, "BF16", np.zeros(256, np.float32), None)
    out = np.zeros(16, np.uint16)
    arithmetic.fill(np.arange(16, dtype=np.uint8), 0, 16, (scales, full), out.data.cast("B"))
    assert (out & 0x7FFF > 0x7F80).all()
