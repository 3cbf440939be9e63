"""Quantised weights whose scales were rounded, mixed up or dropped are named, others are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modeldiff import diff
from modeldiff.changes.relations.factors import (
    find_block_factors,
    find_factors,
    find_scale_of_codes,
)
from modeldiff.findings.narrative import Narrative, narrate

NAME = "model.layers.0.mlp.up_proj"
ROWS, COLUMNS, BLOCK = 512, 768, 128
Tensors = dict[str, torch.Tensor]


def weights() -> torch.Tensor:
    """A matrix whose blocks of 128 × 128 are not alike in size."""
    torch.manual_seed(0)
    sizes = torch.rand(ROWS // BLOCK, COLUMNS // BLOCK) + 0.5
    whole = sizes.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    return (torch.randn(ROWS, COLUMNS) * 0.02 * whole).bfloat16()


def fp8(matrix: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
    """Codes, and their scales after a change."""
    return fp8_in_blocks(matrix, (BLOCK, BLOCK), change)


def fp8_in_blocks(
    matrix: torch.Tensor, block: tuple[int, int], change: Callable[[torch.Tensor], torch.Tensor]
) -> Tensors:
    """The same, of blocks of so many rows and columns."""
    (height, width), (rows, columns) = block, matrix.shape
    blocks = matrix.float().reshape(rows // height, height, columns // width, width)
    scales = blocks.abs().amax((1, 3)) / 448
    codes = (blocks / scales[:, None, :, None]).reshape(rows, columns).to(torch.float8_e4m3fn)
    return {f"{NAME}.weight": codes, f"{NAME}.weight_scale_inv": change(scales)}


def int4(matrix: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
    """compressed-tensors' packed integers in groups of 64."""
    groups = matrix.float().reshape(ROWS, -1, 64)
    scales = groups.abs().amax(-1) / 7.5
    codes = (torch.round(groups / scales[..., None]).clamp(-8, 7) + 8).to(torch.int64)
    places = torch.arange(8) * 4
    words = (codes.reshape(ROWS, -1, 8) << places).sum(-1).to(torch.uint32).view(torch.int32)
    shape = torch.tensor([ROWS, COLUMNS])
    return {
        f"{NAME}.weight_packed": words,
        f"{NAME}.weight_scale": change(scales).bfloat16(),
        f"{NAME}.weight_shape": shape,
    }


def told(tmp_path: Path, base: Tensors, target: Tensors) -> Narrative:
    for name, tensors in (("base", base), ("target", target)):
        (tmp_path / name).mkdir(parents=True)
        whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
        save_file(whole, tmp_path / name / "model.safetensors")
    return narrate(
        diff(*(str(tmp_path / n) for n in ("base", "target")), device="cpu", cache=False)
    )


def to_powers(scales: torch.Tensor) -> torch.Tensor:
    return torch.exp2(torch.round(torch.log2(scales)))


@pytest.mark.parametrize("quantise", [fp8, int4])
@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda scales: scales, False),
        (to_powers, True),
        (lambda scales: 1 / scales, True),
        (lambda scales: scales.flip(1), True),
        (lambda scales: scales * torch.linspace(0.5, 2, scales.shape[1]), True),
        (lambda scales: scales * 1.002, False),  # too little for a factor
    ],
)
def test_scales_that_do_not_fit_the_codes(
    quantise: Callable[..., Tensors],
    change: Callable[[torch.Tensor], torch.Tensor],
    wrong: bool,
    tmp_path: Path,
) -> None:
    matrix = weights()
    said = told(tmp_path, {f"{NAME}.weight": matrix}, quantise(matrix, change))
    assert any("whose scales were rounded, mixed up" in each for each in said.likeness) == wrong
    assert any("each block is base's times a factor" in each for each in said.facts) == wrong
    if wrong:
        assert not any("Something else, too" in each for each in said.likeness)


@pytest.mark.parametrize("quantise", [fp8, int4])
@pytest.mark.parametrize("axis", [0, 1])
def test_neurons_that_were_rescaled_before_have_no_wrong_scales(
    quantise: Callable[..., Tensors], axis: int, tmp_path: Path
) -> None:
    """Their factors change within blocks of several rows and columns, and not where these end."""
    matrix = weights()
    factors = torch.linspace(0.5, 2, matrix.shape[axis]).unsqueeze(1 - axis)
    rescaled = (matrix.float() * factors).bfloat16()
    said = told(tmp_path, {f"{NAME}.weight": matrix}, quantise(rescaled, lambda scales: scales))
    assert "whose scales were rounded" not in " ".join(said.likeness)


@pytest.mark.parametrize(
    ("rows", "columns", "change"),
    [
        (256, 256, lambda scales: scales.flip(1)),
        (256, 256, lambda scales: scales.roll(1, 0)),
        (256, 256, to_powers),
        (128, 256, lambda scales: scales.flip(1)),
        (256, 128, lambda scales: scales.flip(0)),
        (128, 384, to_powers),
    ],
)
def test_few_blocks_with_wrong_scales(
    rows: int, columns: int, change: Callable[[torch.Tensor], torch.Tensor], tmp_path: Path
) -> None:
    """Where a factor a block is one a row, or a column, of blocks, too."""
    matrix = weights()[:rows, :columns].contiguous()
    said = told(tmp_path, {f"{NAME}.weight": matrix}, fp8_in_blocks(matrix, (128, 128), change))
    assert "whose scales were rounded, mixed up" in said.likeness[0]


@pytest.mark.parametrize("block", [(128, 1), (128, 2), (1, 8), (4, 4), (1, 16)])
def test_blocks_of_few_columns_are_told_by_several_rows(
    block: tuple[int, int], tmp_path: Path
) -> None:
    """Of one value a factor tells nothing: any is base's times one."""
    matrix = weights()
    right, wrong = (
        told(tmp_path / name, {f"{NAME}.weight": matrix}, fp8_in_blocks(matrix, block, change))
        for name, change in (("right", lambda scales: scales), ("wrong", to_powers))
    )
    assert right.likeness[0].startswith("Nothing but the quantisation")
    named = "whose scales were rounded" in wrong.likeness[0]
    assert named == (block[0] * block[1] >= 16)


@pytest.mark.parametrize("factor", [0.5, 2.0, 1e9])
@pytest.mark.parametrize("quantise", [fp8, int4])
def test_scales_that_are_all_off_by_one_factor(
    quantise: Callable[..., Tensors], factor: float, tmp_path: Path
) -> None:
    """As of another float of 8 bits, or where a scale a tensor is inverted: what the type loses is
    told beside the factor, and is no second cause."""
    matrix = weights()
    said = told(
        tmp_path, {f"{NAME}.weight": matrix}, quantise(matrix, lambda scales: scales * factor)
    )
    (found,) = re.findall(r"1 tensor is base's times ([\d.e+]+), but for at most", said.facts[1])
    assert float(found) == pytest.approx(factor, rel=0.01)
    assert said.likeness[0].startswith("Quantised weights that are the other side's times")
    assert not any("Something else, too" in each for each in said.likeness)


def test_another_model_has_no_wrong_scales(tmp_path: Path) -> None:
    matrix = weights()
    tuned = (matrix.float() + torch.randn(matrix.shape) * 0.008).bfloat16()
    said = told(tmp_path, {f"{NAME}.weight": matrix}, fp8(tuned, lambda scales: scales))
    assert said.likeness[0].startswith("Something else, too")


@pytest.mark.parametrize("kind", ["int8", "fp8"])
@pytest.mark.parametrize("turned", [False, True])
def test_codes_that_lost_their_scales(kind: str, tmp_path: Path, *, turned: bool) -> None:
    """Cast to bfloat16 as they were: a matrix of whole numbers, or of 8-bit floats."""
    matrix = weights()
    if kind == "int8":
        codes = torch.round(matrix.float() / (matrix.float().abs().amax(1, keepdim=True) / 127))
    else:
        codes = (matrix.float() / (matrix.float().abs().max() / 448)).to(torch.float8_e4m3fn)
    sides: list[Tensors] = [{f"{NAME}.weight": each.bfloat16()} for each in (matrix, codes)]
    said = told(tmp_path, *(sides[::-1] if turned else sides))
    side = "base" if turned else "target"
    assert any(f"8-bit floats in {side}, where" in each for each in said.facts)
    assert any("codes whose scales were dropped" in each for each in said.likeness)


def test_codes_are_told_of_the_side_that_has_them(tmp_path: Path) -> None:
    """Of two matrices each side may have the codes of one."""
    one, another = weights(), weights().flip(0)

    def codes(matrix: torch.Tensor) -> torch.Tensor:
        largest = matrix.float().abs().amax(1, keepdim=True)
        return torch.round(matrix.float() / largest * 127).bfloat16()

    other = f"{NAME.replace('up', 'gate')}.weight"
    said = told(
        tmp_path,
        {f"{NAME}.weight": one, other: codes(another)},
        {f"{NAME}.weight": codes(one), other: another},
    )
    facts = [fact for fact in said.facts if "8-bit floats in" in fact]
    assert len(facts) == 2
    assert any("in target, where base" in fact and "up_proj" in fact for fact in facts)
    assert any("in base, where target" in fact and "gate_proj" in fact for fact in facts)


def test_factors_are_told_from_what_rounding_makes_of_one() -> None:
    """Rows times one factor and rounded coarsely have factors that differ by chance."""
    random = np.random.default_rng(0)
    base = random.normal(0, 0.02, (256, 64))
    at = np.arange(256)
    coarse = 1.5 * base * (1 + random.uniform(-0.05, 0.05, base.shape))
    assert find_factors(base, coarse, at, 256) is None
    own = base * np.linspace(0.9, 1.5, 256)[:, None]
    assert find_factors(base, own, at, 256) is not None


def test_what_is_not_finite_or_zero_has_no_factors() -> None:
    base, at = np.zeros((8, 64)), np.arange(8)
    assert find_block_factors(base, base + 1, (at, at), 8) is None
    assert find_scale_of_codes(base, np.full((8, 64), np.inf), at, 8) is None
