"""Checkpoints from a config alone, held against published totals and files that were saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.config_only.catalog import (
    CATALOG,
    catalog_config,
    catalog_names,
)
from modeldiff.checkpoints.config_only.meta_model import stored_listing
from modeldiff.errors import DamagedCheckpoint, ModeldiffError, NoWeights, UnsupportedFormat
from modeldiff.files.sealed_file import read_sealed, write_sealed
from tests.support.config_checkpoints import of_config

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "torch_dtype": "bfloat16",
}
MIXTRAL = LLAMA | {
    "model_type": "mixtral",
    "architectures": ["MixtralForCausalLM"],
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_embd": 32,
    "n_head": 4,
    "n_layer": 2,
    "n_positions": 16,
    "vocab_size": 64,
}


def opened(name: str, cache: Path | None = None) -> Checkpoint:
    return of_config(name, catalog_config(name), cache)


@pytest.mark.parametrize("name", catalog_names())
def test_parameter_total_is_the_published_one(name: str) -> None:
    published = json.loads((CATALOG / "provenance.json").read_text())[name]
    checkpoint = opened(name)
    if "parameters" in published:
        assert checkpoint.elements == published["parameters"]
        assert len(checkpoint.tensors) == published["names_on_disk"]
    assert len({tensor.name for tensor in checkpoint.tensors}) == len(checkpoint.tensors)


@pytest.mark.parametrize(
    "config", [LLAMA, LLAMA | {"tie_word_embeddings": True}, MIXTRAL, GPT2], ids=str
)
def test_listing_equals_what_transformers_saves(config: dict[str, Any], tmp_path: Path) -> None:
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForCausalLM

    (tmp_path / "config.json").write_text(json.dumps(config))
    resolved = AutoConfig.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(resolved).to(
        torch.bfloat16 if config.get("torch_dtype") else torch.float32
    )
    model.save_pretrained(tmp_path / "saved")
    with safe_open(tmp_path / "saved" / "model.safetensors", "pt") as file:
        saved = {
            (name, file.get_slice(name).get_dtype(), tuple(file.get_slice(name).get_shape()))
            for name in file.keys()  # noqa: SIM118 (no mapping)
        }
    assert set(stored_listing(config)) == saved


def test_second_opening_reads_the_cache_and_a_torn_cache_is_built_again(tmp_path: Path) -> None:
    first = opened("llama-3.2-1b", tmp_path)
    (cached,) = tmp_path.iterdir()
    kept = read_sealed(cached)
    assert kept is not None
    write_sealed(cached, kept.replace(b"model.norm.weight", b"model.norm.from_cache"))
    assert any(t.name == "model.norm.from_cache" for t in opened("llama-3.2-1b", tmp_path).tensors)
    cached.write_bytes(cached.read_bytes()[:100])
    assert opened("llama-3.2-1b", tmp_path).tensors == first.tensors


def test_a_config_has_no_bytes_to_fetch() -> None:
    with pytest.raises(NoWeights, match="catalog:llama-3-8b"):
        opened("llama-3-8b").source.reader("model.safetensors")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"num_hidden_layers": 20_000}, DamagedCheckpoint),
        ({"num_attention_heads": 0}, DamagedCheckpoint),
        ({"vocab_size": 10**15}, DamagedCheckpoint),
        ({"vocab_size": 10**400}, DamagedCheckpoint),
        ({"hidden_size": -32}, DamagedCheckpoint),
        ({"hidden_size": "wide"}, DamagedCheckpoint),
        ({"rope_theta": float("nan")}, DamagedCheckpoint),
        ({"num_hidden_layers": 900, "num_local_experts": 1_000}, DamagedCheckpoint),
        ({"model_type": "../../etc/passwd"}, UnsupportedFormat),
        ({"model_type": None}, UnsupportedFormat),
        ({"rope_scaling": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}}, None),
    ],
    ids=str,
)
def test_hostile_configs_are_refused_with_a_hint(
    change: dict[str, Any], error: type[ModeldiffError] | None
) -> None:
    with pytest.raises(error or ModeldiffError) as caught:
        stored_listing(LLAMA | change)
    assert caught.value.hint


def test_code_named_by_a_config_is_not_run() -> None:
    config = LLAMA | {"auto_map": {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.C"}}
    assert stored_listing(config) == stored_listing(LLAMA)
