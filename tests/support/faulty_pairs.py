"""Pairs of small checkpoints of which not everything can be compared, each in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

Tensors = dict[str, npt.NDArray[Any]]

EMBEDDING = "model.embed_tokens.weight"
Q0 = "model.layers.0.self_attn.q_proj.weight"
NORM = "model.norm.weight"
_CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "vocab_size": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "tie_word_embeddings": True,
}


def tensors() -> Tensors:
    """The tensors of a small Llama, in float32."""
    random = np.random.default_rng(7)
    values: Tensors = {EMBEDDING: random.normal(size=(16, 8)).astype(np.float32)}
    for layer in range(3):
        for name in ("self_attn.q_proj", "self_attn.o_proj"):
            weight = random.normal(size=(8, 8)).astype(np.float32)
            values[f"model.layers.{layer}.{name}.weight"] = weight
        norm = random.normal(1, 0.1, size=8).astype(np.float32)
        values[f"model.layers.{layer}.input_layernorm.weight"] = norm
    values[NORM] = random.normal(1, 0.1, size=8).astype(np.float32)
    return values


def whole_model() -> Tensors:
    """Tensors that transformers can load and train: those, and all others that a Llama has."""
    random = np.random.default_rng(8)
    values = tensors()
    for layer in range(3):
        at = f"model.layers.{layer}"
        for name, shape in (
            *((f"self_attn.{one}_proj", (8, 8)) for one in "kv"),
            *((f"mlp.{one}_proj", (24, 8)) for one in ("gate", "up")),
            ("mlp.down_proj", (8, 24)),
        ):
            values[f"{at}.{name}.weight"] = random.normal(0, 0.2, size=shape).astype(np.float32)
        values[f"{at}.post_attention_layernorm.weight"] = np.ones(8, np.float32)
    return values


def moved(values: Tensors, share: float) -> Tensors:
    """All elements larger by ``share`` of themselves."""
    return {
        name: (value * np.float32(1 + share)).astype(np.float32) for name, value in values.items()
    }


def write(folder: Path, values: Tensors) -> str:
    """A checkpoint of these tensors; its path."""
    folder.mkdir(parents=True)
    save_file(values, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    return str(folder)


def faulty(fault: str) -> tuple[Tensors, Tensors]:
    """Base and target, all of it moved by 1 %, but for the first layer's query projection."""
    base = tensors()
    target = moved(base, 0.01)
    if fault == "not_finite":
        target[Q0][0, 0] = np.nan
    elif fault == "different_shape":
        target[Q0] = np.ones((4, 8), np.float32)
    elif fault == "only_in_base":
        del target[Q0]
    elif fault == "only_in_target":
        del base[Q0]
    elif fault == "no_value":
        base[Q0], target[Q0] = (np.arange(64, dtype=np.int32).reshape(8, 8) + n for n in (0, 1))
    elif fault == "part_of_rows":
        target[EMBEDDING] = np.concatenate([target[EMBEDDING], np.ones((2, 8), np.float32)])
    else:
        raise ValueError(fault)
    return base, target
