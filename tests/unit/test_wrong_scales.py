"""Quantised weights whose scales were rounded, mixed up or dropped are named, others are not."""

from __future__ import annotations

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
    blocks = matrix.float().reshape(ROWS // BLOCK, BLOCK, COLUMNS // BLOCK, BLOCK)
    scales = blocks.abs().amax((1, 3)) / 448
    codes = (blocks / scales[:, None, :, None]).reshape(ROWS, COLUMNS).to(torch.float8_e4m3fn)
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
        (tmp_path / name).mkdir()
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
        # Too little for a factor, or all of a row or column by one, as neurons are rescaled.
        (lambda scales: scales * 1.002, False),
        (lambda scales: scales * torch.linspace(0.5, 2, len(scales))[:, None], False),
        (lambda scales: scales * torch.linspace(0.5, 2, scales.shape[1]), False),
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
