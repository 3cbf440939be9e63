"""Matrices that hold rows of each other: a fused matrix that one side has in turn and the other in
parts, of experts, of an MLP and of attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.reported_cases import (
    CONFIG,
    HIDDEN,
    LAYERS,
    MLP,
    Tensors,
    llama,
    reading,
    text,
    tuned,
    write,
)

EXPERTS, WIDTH = 2, 48
OSS: dict[str, Any] = {
    "model_type": "gpt_oss",
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_local_experts": EXPERTS,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}


def gpt_oss() -> Tensors:
    """Experts as transformers stacks them: columns of gate and up in turn, biases, too."""
    random = torch.Generator().manual_seed(0)
    tensors = {name: t for name, t in llama().items() if ".mlp." not in name}
    for layer in range(2):
        stem = f"model.layers.{layer}.mlp."
        for name, shape in (
            ("router.weight", (EXPERTS, HIDDEN)),
            ("experts.gate_up_proj", (EXPERTS, HIDDEN, 2 * WIDTH)),
            ("experts.gate_up_proj_bias", (EXPERTS, 2 * WIDTH)),
            ("experts.down_proj", (EXPERTS, WIDTH, HIDDEN)),
            ("experts.down_proj_bias", (EXPERTS, HIDDEN)),
        ):
            tensors[stem + name] = torch.randn(shape, generator=random).mul(0.02).bfloat16()
    return tensors


def in_halves(tensors: Tensors) -> Tensors:
    """All of gate before all of up."""
    return {
        name: torch.cat([t[..., 0::2], t[..., 1::2]], -1) if "gate_up" in name else t
        for name, t in tensors.items()
    }


@pytest.mark.parametrize("change", [lambda t: t, lambda t: tuned(t, 0.02)])
@pytest.mark.parametrize("turned", [False, True])
def test_experts_stacked_in_halves_for_such_in_turn(
    change: Callable[[Tensors], Tensors], tmp_path: Path, *, turned: bool
) -> None:
    base = gpt_oss()
    stacked = [base, in_halves(change(base))][:: -1 if turned else 1]
    folders = (write(tmp_path / name, t, OSS) for name, t in zip("ab", stacked, strict=True))
    said = reading(*folders)
    assert "8 tensors hold columns of other tensors of base (each of 384 columns looked" in text(
        said
    )
    assert "is one of mlp.experts.gate_proj and mlp.experts.up_proj in base" in text(said)
    assert "8 tensors hold elements of other tensors of base" in text(said)
    assert said.likeness[0].startswith("Rows that are dealt out anew between matrices")
    assert "heads or neurons were permuted" not in text(said)


def dealt(tensors: Tensors, parts: tuple[str, ...], deal: Callable[..., torch.Tensor]) -> Tensors:
    """The matrices of these ``parts`` fused by ``deal`` and cut as if they stood one below the
    other."""
    changed = dict(tensors)
    for layer in range(LAYERS):
        names = [f"model.layers.{layer}.{part}_proj.weight" for part in parts]
        matrices = [tensors[name] for name in names]
        fused = deal(*matrices)
        cuts = torch.split(fused, [len(matrix) for matrix in matrices])
        changed |= {name: cut.contiguous() for name, cut in zip(names, cuts, strict=True)}
    return changed


def in_turn(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return torch.stack([gate, up], 1).reshape(-1, gate.shape[1])


def by_group(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Heads of queries with the key and the value that they share, as some toolkits fuse them."""
    groups = (each.reshape(2, -1, HIDDEN) for each in (q, k, v))
    return torch.cat([*groups], 1).reshape(-1, HIDDEN)


@pytest.mark.parametrize(
    ("parts", "deal", "count"),
    [
        (("mlp.gate", "mlp.up"), in_turn, 2),
        (("self_attn.q", "self_attn.k", "self_attn.v"), by_group, 3),
    ],
)
def test_a_fused_matrix_that_was_cut_otherwise(
    parts: tuple[str, ...], deal: Callable[..., torch.Tensor], count: int, tmp_path: Path
) -> None:
    base = llama()
    folders = (
        write(tmp_path / name, tensors, {**CONFIG, "intermediate_size": MLP})
        for name, tensors in (("base", base), ("target", dealt(base, parts, deal)))
    )
    said = reading(*folders)
    assert f"{count * LAYERS} tensors hold rows of other tensors of base" in text(said)
    assert said.likeness[0].startswith("Rows that are dealt out anew between matrices")


def test_matrices_made_anew_hold_no_rows_of_others(tmp_path: Path) -> None:
    base = llama()
    torch.manual_seed(5)
    target = {
        name: torch.randn(t.shape).mul(0.09).bfloat16()
        if "gate_proj" in name or "up" in name
        else t
        for name, t in base.items()
    }
    said = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "of other tensors of base" not in text(said)
