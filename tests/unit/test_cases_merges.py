"""What people do to weights between two saves: merges, adapters, masks, casts and roundings, each
with the words that fit it and none that it excludes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modeldiff.architectures import understand
from modeldiff.changes import merge_statistics
from modeldiff.checkpoints import open_checkpoint
from modeldiff.companions.entries import pair_entries
from tests.support.changes import made_statistics
from tests.support.reported_cases import Tensors, llama, reading, text, tuned, write

Deed = Callable[[torch.Tensor], torch.Tensor]


def exact() -> Tensors:
    """The model in f32, with digits that no narrower type has."""
    random = torch.Generator().manual_seed(5)
    return {
        name: tensor.float() * (1 + 0.01 * torch.randn(tensor.shape, generator=random))
        for name, tensor in llama().items()
    }


def in_layers(tensors: Tensors, deed: Deed, only: str = r"_proj\.weight$") -> Tensors:
    return {n: deed(t.float()).to(t.dtype) if re.search(only, n) else t for n, t in tensors.items()}


def with_adapter(matrix: torch.Tensor) -> torch.Tensor:
    random = torch.Generator().manual_seed(matrix.numel())
    left, right = (torch.randn(n, 4, generator=random) for n in matrix.shape)
    update = left @ right.T
    scaled: torch.Tensor = update * (0.05 * matrix.norm() / update.norm())
    return matrix + scaled


def dropped(matrix: torch.Tensor) -> torch.Tensor:
    """DARE: nine of ten elements of an update are dropped, the others ten times as large."""
    random = torch.Generator().manual_seed(matrix.numel())
    update = 0.05 * matrix.std() * torch.randn(matrix.shape, generator=random)
    return matrix + 10 * update * (torch.rand(matrix.shape, generator=random) < 0.1)


def two_of_four(matrix: torch.Tensor) -> torch.Tensor:
    groups = matrix.reshape(-1, 4)
    return groups.scatter(1, groups.abs().argsort(1)[:, :2], 0.0).reshape(matrix.shape)


def of_bits(bits: int) -> Deed:
    def rounded(matrix: torch.Tensor) -> torch.Tensor:
        step = matrix.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
        whole: torch.Tensor = torch.round(matrix / step)
        return whole.mul(step)

    return rounded


def test_a_sparse_merge_is_no_adapter(tmp_path: Path) -> None:
    base = llama()
    folder = write(tmp_path / "base", base)
    merge = reading(folder, write(tmp_path / "merge", in_layers(base, dropped)))
    assert "a sparse merge" in merge.likeness[0]
    assert "as when adapters" not in merge.likeness[0].replace("not as when adapters", "")
    pruned = in_layers(base, two_of_four)
    filled = reading(write(tmp_path / "pruned", pruned), folder)
    assert "of the elements moved, mostly from zero" in text(filled) and "by ∞" not in text(filled)
    assert "of the elements moved, to zero" in text(reading(folder, str(tmp_path / "pruned")))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_an_adapter_merged_and_stored_in_another_type(kind: torch.dtype, tmp_path: Path) -> None:
    """What the cast alone moved is not what was trained."""
    base = exact()
    merged = {n: t.to(kind) for n, t in in_layers(base, with_adapter, r"[qv]_proj").items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", merged))
    assert "matrices moved by no more than rounding to" in narrative.likeness[0]
    assert "adapters (LoRA)" in narrative.likeness[0]
    assert "Like" not in text(narrative)


def test_an_adapter_that_is_not_merged(tmp_path: Path) -> None:
    """Equal weights under an adapter are no equal models."""

    def unmerged(seed: int) -> Tensors:
        random = torch.Generator().manual_seed(seed)
        state = {}
        for name, tensor in llama().items():
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            if "q_proj" not in name:
                state[f"base_model.model.{name}"] = tensor
                continue
            state[f"{stem}.base_layer.weight"] = tensor
            for part, shape in (("A", (4, 64)), ("B", (64, 4))):
                state[f"{stem}.lora_{part}.default.weight"] = torch.randn(shape, generator=random)
        return state

    one = write(tmp_path / "one", unmerged(1))
    beside = text(reading(write(tmp_path / "base", llama()), one))
    assert "Beside 4 matrices of target (self_attn.q_proj in layers 0–3) stand an adapter" in beside
    other = reading(one, write(tmp_path / "other", unmerged(2)))
    assert "Only the matrices of adapters (LoRA) moved" in other.likeness[0]


def test_an_encoder_alone_keeps_no_keys(tmp_path: Path) -> None:
    tensors = {"shared.weight": torch.zeros(64, 32)}
    for layer in range(2):
        stem = f"encoder.block.{layer}.layer"
        for name in "qkvo":
            tensors[f"{stem}.0.SelfAttention.{name}.weight"] = torch.zeros(32, 32)
        tensors[f"{stem}.1.DenseReluDense.wi.weight"] = torch.zeros(64, 32)
        tensors[f"{stem}.1.DenseReluDense.wo.weight"] = torch.zeros(32, 64)
    config = {"model_type": "t5", "architectures": ["T5EncoderModel"], "num_heads": 4, "d_kv": 8}
    encoder = understand(open_checkpoint(write(tmp_path / "encoder", tensors, config)))
    assert encoder.fact("layers") is not None
    assert encoder.fact("kv_cache_bytes_per_token") is None


def test_entries_under_their_older_names_are_the_same() -> None:
    """As transformers 5 writes dtype where older releases wrote torch_dtype."""
    old = {"torch_dtype": '"bfloat16"', "rope_theta": "10000.0", "bos_token_id": "1"}
    new = {"dtype": '"bfloat16"', "rope_parameters.rope_theta": "10000.0"}
    sides = [{f"config.json: {name}": v for name, v in side.items()} for side in (old, new)]
    config, _ = pair_entries(*sides)
    assert [entry.name for entry in config.different] == ["bos_token_id"]


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "lm_head.weight"])
def test_one_end_that_was_tuned_is_no_edit_by_hand(name: str, tmp_path: Path) -> None:
    base = llama()
    target = base | {name: tuned(base)[name]}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "as when embeddings or head are tuned" in narrative.likeness[0]
    assert "by hand" not in text(narrative)


def test_biases_alone_are_no_norms_and_a_projector_is_no_head(tmp_path: Path) -> None:
    base = llama() | {
        "model.layers.0.self_attn.q_proj.bias": torch.linspace(0.1, 0.5, 64).bfloat16(),
        "multi_modal_projector.linear_1.weight": torch.randn(64, 32).bfloat16(),
    }
    folder = write(tmp_path / "base", base)
    for name, words in (
        ("model.layers.0.self_attn.q_proj.bias", "Only biases and other vectors moved"),
        ("multi_modal_projector.linear_1.weight", "as when it alone is tuned"),
    ):
        narrative = reading(folder, write(tmp_path / name, base | {name: tuned(base)[name]}))
        assert words in narrative.likeness[0]


@pytest.mark.parametrize("kept_as", [torch.float32, torch.float16])
def test_bf16_stored_in_another_type_is_rounding_to_bf16(
    kept_as: torch.dtype, tmp_path: Path
) -> None:
    base = exact()
    target = {name: tensor.bfloat16().to(kept_as) for name, tensor in base.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert narrative.likeness[0].startswith("Like rounding to a coarser grid (BF16)")


def test_small_factors_of_rows_are_no_rounding(tmp_path: Path) -> None:
    """Each below half a step of bf16, and so is every element's change."""

    def scaled(matrix: torch.Tensor) -> torch.Tensor:
        random = torch.Generator().manual_seed(3)
        return matrix * (1 + 0.007 * (torch.rand(len(matrix), 1, generator=random) - 0.5))

    base = exact()
    target = in_layers(base, scaled, "_proj|embed|lm_head")
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "ounding to" not in text(narrative)


@pytest.mark.parametrize("bits", [4, 8])
def test_few_bits_stored_as_bf16_are_rounding(bits: int, tmp_path: Path) -> None:
    """Of eight bits the smallest errors are below bf16's own step."""
    base = llama()
    target = in_layers(base, of_bits(bits))
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert narrative.likeness[0].startswith("Like rounding to a coarser grid (int8")


def test_pruned_and_tuned_says_what_became_zero(tmp_path: Path) -> None:
    base = llama()
    pruned = in_layers(base, two_of_four)
    target = {n: torch.where(t == 0, t, tuned({n: t})[n]) for n, t in pruned.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    share = re.match(r"About ([\d.]+) % of the elements", narrative.likeness[0])
    assert share and float(share[1]) == pytest.approx(50, abs=1)


def test_few_zeros_beside_tuning_are_said(tmp_path: Path) -> None:
    """They outweigh the tuning, so that signs flip less than the size lets expect."""
    base = llama()
    random = torch.Generator().manual_seed(6)
    target = {
        n: t * (torch.rand(t.shape, generator=random) > 0.03) if "_proj" in n else t
        for n, t in tuned(base, 0.01).items()
    }
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert re.match(r"About 3\.\d+ % of the elements where matrices moved", narrative.likeness[0])


def test_negated_tensors_are_base_times_minus_one(tmp_path: Path) -> None:
    base = llama()
    target = {n: -t if "q_proj" in n or "k_proj" in n else t for n, t in base.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "8 tensors are base's times -1" in text(narrative)
    assert "training shows" in narrative.likeness[-1]
    assert "Like" not in text(narrative)


def test_a_base_of_zeros_has_no_change_in_percent(tmp_path: Path) -> None:
    target = llama()
    base = {name: torch.zeros_like(tensor) for name, tensor in target.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "39 tensors are all zeros in base" in text(narrative)
    assert "signs flipped" not in text(narrative) and "no training" not in text(narrative)


def test_what_is_not_finite_has_no_compared_bytes(tmp_path: Path) -> None:
    base = llama()
    head = torch.full_like(base["lm_head.weight"], math.nan)
    narrative = reading(
        write(tmp_path / "base", base),
        write(tmp_path / "target", tuned(base) | {"lm_head.weight": head}),
    )
    compared = re.search(
        r"were compared: ([\d.]+) % of the elements and of the bytes", text(narrative)
    )
    assert compared and float(compared[1]) < 90


def test_nothing_finite_is_nothing_compared(tmp_path: Path) -> None:
    base = llama()
    broken = {name: torch.full_like(tensor, math.nan) for name, tensor in base.items()}
    folder = write(tmp_path / "base", base)
    narrative = reading(folder, write(tmp_path / "target", broken))
    assert "No element could be compared: none is finite on both sides." in narrative.facts
    assert "were compared" not in text(narrative)
    one = base | {"model.norm.weight": broken["model.norm.weight"]}
    part = text(reading(folder, write(tmp_path / "one", one)))
    assert "What was compared is exactly equal: 38 tensors" in part


def test_ends_under_each_others_names(tmp_path: Path) -> None:
    base = llama()
    one, other = "model.embed_tokens.weight", "lm_head.weight"
    target = base | {one: base[other], other: base[one]}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "2 tensors are other tensors of base (each" in text(narrative)
    assert "layer" not in narrative.likeness[0] and "vocabulary" not in text(narrative)


def test_one_step_of_the_type_does_not_stand_out(tmp_path: Path) -> None:
    """A norm's weights in bf16 lie 0.4 or 0.8 % apart: the median is one step, or two."""
    base = llama()
    random = torch.Generator().manual_seed(4)
    target = {
        name: (t.float() + 0.02 * torch.randn(t.shape, generator=random)).to(t.dtype)
        if "norm" in name
        else t
        for name, t in base.items()
    }
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "By median" in text(narrative) and "standing out" not in text(narrative)


def test_the_least_there_can_be(tmp_path: Path) -> None:
    """One tensor, of one element and of none: no plural, no likeness of nothing."""
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    narrative = reading(write(tmp_path / "a", {"x": one}), write(tmp_path / "b", {"x": two}))
    assert "change is 100 %" in narrative.headline and "moved by 100 %" in text(narrative)
    assert "1 elements" not in text(narrative) and "1 tensors" not in text(narrative)
    none = torch.zeros(0)
    empty = reading(write(tmp_path / "c", {"x": none}), write(tmp_path / "d", {"x": none}))
    assert empty.headline == "No element could be compared." and not empty.likeness


def test_what_all_moved_by_is_said_once(tmp_path: Path) -> None:
    base = exact()
    target = {name: tensor.bfloat16() for name, tensor in base.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert not re.search(r"by ([\d.]+ %) typically, at most by \1", text(narrative))


def test_the_median_of_several_lies_between_theirs() -> None:
    same = made_statistics(200.0)
    assert merge_statistics([same, same, same]).median_pct == same.median_pct
    parts = [made_statistics(1.0), made_statistics(1.001)]
    low, high = sorted(part.median_pct or 0.0 for part in parts)
    assert low <= (merge_statistics(parts).median_pct or 0.0) <= high
