"""A model saved whole with its adapter: what is compared with base is the matrix under it, and of a
module that was trained as a copy the copy.

Names and shapes are those that peft 0.21.2 gives ``get_peft_model(…).state_dict()``, for LoRA with
``modules_to_save=["lm_head"]``, for DoRA and for ``trainable_token_indices``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from modeldiff.architectures import Place
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.findings.narrative import narrate
from modeldiff.results import run_diff

WIDTH, RANK, VOCABULARY, LAYERS = 16, 2, 40, 2
ADAPTED = ("q_proj", "v_proj")

Tensors = dict[str, npt.NDArray[np.float32]]


def base() -> Tensors:
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for n in range(LAYERS):
        at = f"model.layers.{n}."
        shapes |= {f"{at}self_attn.{p}_proj.weight": (WIDTH, WIDTH) for p in "qkvo"}
        shapes |= {f"{at}mlp.{p}_proj.weight": (WIDTH, WIDTH) for p in ("gate", "up", "down")}
        shapes |= {f"{at}{p}_layernorm.weight": (WIDTH,) for p in ("input", "post_attention")}
    shapes |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (VOCABULARY, WIDTH)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def adapted(tensors: Tensors, *, dora: bool = False, tokens: bool = False) -> Tensors:
    """``tensors`` with adapters beside them; the head's trained copy moved, its original not."""
    random = np.random.default_rng(1)
    whole: Tensors = {}

    def add(name: str, *shape: int) -> None:
        whole[f"base_model.model.{name}"] = random.normal(size=shape).astype(np.float32)

    for name, tensor in tensors.items():
        module = name.removesuffix(".weight")
        if module == "lm_head":
            whole["base_model.model.lm_head.original_module.weight"] = tensor
            copy = tensor + np.float32(0.05) * random.normal(size=tensor.shape).astype(np.float32)
            whole["base_model.model.lm_head.modules_to_save.default.weight"] = copy
        elif module.endswith(ADAPTED):
            whole[f"base_model.model.{module}.base_layer.weight"] = tensor
            add(f"{module}.lora_A.default.weight", RANK, WIDTH)
            add(f"{module}.lora_B.default.weight", WIDTH, RANK)
            if dora:
                add(f"{module}.lora_magnitude_vector.default.weight", WIDTH)
        elif tokens and module.endswith("embed_tokens"):
            whole[f"base_model.model.{module}.token_adapter.base_layer.weight"] = tensor
            add(f"{module}.token_adapter.trainable_tokens_delta.default", 2, WIDTH)
        else:
            whole[f"base_model.model.{name}"] = tensor
    return whole


def compared(tmp_path: Path, target: Tensors) -> ChangeTable:
    folders = []
    for name, tensors in (("base", base()), ("target", target)):
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "model.safetensors")
        (tmp_path / name / "config.json").write_text('{"model_type": "llama"}')
        folders.append(str(tmp_path / name))
    return run_diff(Comparison.open(*folders), device="cpu").changes


@pytest.mark.parametrize(
    ("dora", "tokens"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_what_lies_under_an_adapter_is_the_bases_own(
    tmp_path: Path, dora: bool, tokens: bool
) -> None:
    changes = compared(tmp_path, adapted(base(), dora=dora, tokens=tokens))
    measured = {c.pair.place: c.statistics for c in changes if c.statistics is not None}
    assert len(measured) == len(base())
    moved = {place for place, s in measured.items() if s.unchanged_pct != 100.0}
    assert moved == {Place(None, "lm_head")}
    head = changes.at(Place(None, "lm_head"))
    assert head is not None and head.pair.target is not None
    assert "modules_to_save" in head.pair.target.name
    own = [c.pair for c in changes if c.pair.status == "only_in_target"]
    each = 2 * len(ADAPTED) * LAYERS + dora * len(ADAPTED) * LAYERS + tokens
    assert len(own) == each + 1  # and the head's original
    under = [c.pair for c in changes if c.pair.place.component.endswith(ADAPTED)]
    under = [pair for pair in under if pair.status == "compared"]
    assert len(under) == len(ADAPTED) * LAYERS
    assert all("an adapter's matrices stand beside" in pair.reason for pair in under)


def test_it_is_not_called_the_same_or_a_level_of_training(tmp_path: Path) -> None:
    target = adapted(base())
    trained = "base_model.model.lm_head.modules_to_save.default.weight"
    target[trained] = base()["lm_head.weight"]
    narrative = narrate(compared(tmp_path, target))
    text = " ".join((narrative.headline, *narrative.facts))
    assert narrative.headline.startswith("Only 84.7 % of target's elements could be compared")
    assert "only in target" in text and "lora_A" in text
    assert narrative.likeness == ("No kind of change is named: too little could be compared.",)
