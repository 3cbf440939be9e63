"""Codes decoded from any element on, over tiles, rows and blocks that end nowhere together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from modeldiff.checkpoints.recipes.code_kernels import GRAINS, Packing
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


def test_a_zero_point_that_is_no_number_makes_no_numbers() -> None:
    full = np.array([0x7FFFFFFF], np.uint32).view(np.float32)
    scales = np.ones(1, np.float32)
    grid = Grid.flat(16)
    coding = Coding("octets", 8, "unsigned")
    arithmetic = Arithmetic(coding, grid, "BF16", np.zeros(256, np.float32), None)
    out = np.zeros(16, np.uint16)
    arithmetic.fill(np.arange(16, dtype=np.uint8), 0, 16, (scales, full), out.data.cast("B"))
    assert (out & 0x7FFF > 0x7F80).all()
