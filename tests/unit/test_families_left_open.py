"""What the names of tensors leave open, where no config says it, is no difference and no fact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modeldiff.architectures import Architecture, FactPair, compare_facts, understand
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.references import demo_folder
from modeldiff.comparison import Comparison
from modeldiff.model import Model
from tests.support.named_shapes import Shapes, checkpoint

WIDTH = 32


def layer(number: int, *, bias: bool, rows: int, norms: tuple[str, ...]) -> Shapes:
    """A layer of Falcon's and BLOOM's names."""
    at = f"transformer.h.{number}."
    shapes: dict[str, tuple[int, ...]] = {
        f"{at}{norm}.{name}": (WIDTH,) for norm in norms for name in ("weight", "bias")
    }
    for name, out, inner in (
        ("self_attention.query_key_value", rows, WIDTH),
        ("self_attention.dense", WIDTH, WIDTH),
        ("mlp.dense_h_to_4h", 4 * WIDTH, WIDTH),
        ("mlp.dense_4h_to_h", WIDTH, 4 * WIDTH),
    ):
        shapes[f"{at}{name}.weight"] = (out, inner)
        if bias:
            shapes[f"{at}{name}.bias"] = (out,)
    return shapes


SEQUENTIAL = ("input_layernorm", "post_attention_layernorm")
BIASED = layer(3, bias=True, rows=3 * WIDTH, norms=SEQUENTIAL)
EMBEDDING: Shapes = {"transformer.word_embeddings.weight": (9, WIDTH)}
ITS_NORM: Shapes = {"transformer.word_embeddings_layernorm.weight": (WIDTH,)}
SEVEN_B = layer(0, bias=False, rows=WIDTH + 16, norms=("input_layernorm",))
FORTY_B = layer(0, bias=False, rows=WIDTH + 32, norms=("ln_attn", "ln_mlp"))


def facts_of(architecture: Architecture) -> dict[str, object]:
    return {fact.key: fact.value for fact in architecture.facts}


@pytest.mark.parametrize("shapes", [BIASED, {**BIASED, **EMBEDDING}])
def test_layers_with_biases_are_no_falcon_that_rotates(shapes: Shapes) -> None:
    """A shard of BLOOM without its first, and the oldest Falcon whole."""
    architecture = understand(checkpoint(shapes))
    facts = facts_of(architecture)
    assert facts["position"] == "ALiBi"
    assert "kv_heads" not in facts
    (family,) = [fact for fact in architecture.facts if fact.key == "family"]
    assert family.text == "BLOOM or Falcon RW"


@pytest.mark.parametrize("shapes", [SEVEN_B, FORTY_B])
def test_layers_without_biases_are_falcons_of_unknown_heads(shapes: Shapes) -> None:
    architecture = understand(checkpoint(shapes))
    assert architecture.family == "falcon"
    facts = facts_of(architecture)
    assert facts["position"] == "RoPE"
    # 1 in 7B, 8 in 40B: no name says it.
    assert "kv_heads" not in facts


def test_a_config_says_which_it_is() -> None:
    whole = {**BIASED, **EMBEDDING, **ITS_NORM}
    assert understand(checkpoint(whole)).family == "bloom"
    assert understand(checkpoint(BIASED, {"model_type": "bloom"})).family == "bloom"
    biased = {"model_type": "falcon", "bias": True, "num_attention_heads": 4}
    architecture = understand(checkpoint(BIASED, biased))
    facts = facts_of(architecture)
    assert facts["family"] == "falcon" and facts["position"] == "RoPE"
    # Its description knows the biases, too.
    assert {p.place.parameter for p in architecture.parameters} == {"weight", "bias"}
    seven = {"model_type": "falcon", "num_attention_heads": 4}
    assert facts_of(understand(checkpoint(SEVEN_B, seven)))["kv_heads"] == 1


@pytest.mark.parametrize(
    "other",
    [
        checkpoint({**BIASED, **EMBEDDING, **ITS_NORM}),
        checkpoint(BIASED, {"model_type": "bloom"}),
        checkpoint(BIASED, {"model_type": "falcon", "alibi": True}),
    ],
)
def test_a_family_that_is_left_open_is_no_difference(other: Checkpoint) -> None:
    bare = understand(checkpoint(BIASED))
    for sides in ((bare, understand(other)), (understand(other), bare)):
        family = family_of(compare_facts(*sides))
        assert family.one_sided, family
        assert "may be" in family.meaning


def family_of(pairs: tuple[FactPair, ...]) -> FactPair:
    (family,) = [pair for pair in pairs if pair.key == "family"]
    return family


@pytest.mark.parametrize("model_type", ["mistral", "gemma", "granite"])
def test_a_run_of_another_model_is_not_said_to_be_a_llama(tmp_path: Path, model_type: str) -> None:
    folder = shutil.copytree(demo_folder("base"), tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
    tensors = load_file(folder / "model.safetensors")
    torch.save(tensors, tmp_path / "run.pt")
    family = family_of(Comparison.open(str(folder), str(tmp_path / "run.pt")).facts)
    assert family.one_sided
    assert family.meaning == (
        f"The target's tensors may be {model_type.title()}'s by their names, and no config says."
    )
    # Where the names are another family's, it is another.
    save_file({k: torch.zeros(s) for k, s in SEVEN_B.items()}, tmp_path / "falcon.safetensors")
    other = Model.open(str(tmp_path / "falcon.safetensors"))
    assert family_of(Comparison(Model.open(str(folder)), other).facts).differs
    # And where they say nothing, nothing is known.
    odd = {f"blocks.{n}.thing.weight": torch.ones(4, 4) for n in range(3)}
    save_file(odd, tmp_path / "odd.safetensors")
    unknown = family_of(Comparison.open(str(folder), str(tmp_path / "odd.safetensors")).facts)
    assert unknown.one_sided
    assert unknown.meaning == (
        f"The base: {model_type.title()}; the names of the target's tensors do not say."
    )


def test_memory_without_a_known_cache_is_said_to_be_of_the_weights_alone(tmp_path: Path) -> None:
    """An estimate that leaves the text out is not one of any text."""
    odd = {f"blocks.{n}.thing.weight": torch.ones(4, 4) for n in range(3)}
    save_file(odd, tmp_path / "odd.safetensors")
    facts = Comparison.open("demo:base", str(tmp_path / "odd.safetensors")).facts
    (memory,) = [pair for pair in facts if pair.key == "memory_bytes"]
    assert memory.one_sided
    assert memory.meaning == (
        "An estimated 192 B for the weights alone, the base 3.48 MB with a text of 512 tokens."
    )
