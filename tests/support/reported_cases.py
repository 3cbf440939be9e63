"""A small Llama, to be rebuilt as people reported theirs, and what a diff says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from modeldiff.checkpoints import open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.results import run_diff

Tensors = dict[str, torch.Tensor]
Rename = Callable[[str], str]

HIDDEN, MLP, LAYERS, VOCABULARY = 64, 96, 4, 512
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": MLP,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
}


def llama() -> Tensors:
    """Weights of the size that trained ones have, in bf16."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for at in (f"model.layers.{layer}." for layer in range(LAYERS)):
        shapes[f"{at}input_layernorm.weight"] = (HIDDEN,)
        for name, rows in (("q", HIDDEN), ("k", 16), ("v", 16), ("o", HIDDEN)):
            shapes[f"{at}self_attn.{name}_proj.weight"] = (rows, HIDDEN)
        shapes[f"{at}post_attention_layernorm.weight"] = (HIDDEN,)
        for name in ("gate", "up"):
            shapes[f"{at}mlp.{name}_proj.weight"] = (MLP, HIDDEN)
        shapes[f"{at}mlp.down_proj.weight"] = (HIDDEN, MLP)
    shapes |= {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}
    random = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=random).mul(0.09).bfloat16()
        if len(shape) > 1
        else (1 + 0.1 * torch.randn(shape, generator=random)).bfloat16()
        for name, shape in shapes.items()
    }


def tuned(tensors: Tensors, size: float = 0.03) -> Tensors:
    """All moved at random, by ``size`` standard deviations of the tensor."""
    random = torch.Generator().manual_seed(1)
    return {
        name: (t.float() + size * t.float().std() * torch.randn(t.shape, generator=random)).to(
            t.dtype
        )
        for name, t in tensors.items()
    }


def of_layers(name: str) -> bool:
    """Whether it is a layer's matrix."""
    return name.endswith("_proj.weight")


def write(folder: Path, tensors: Tensors, config: Mapping[str, Any] | None = CONFIG) -> str:
    """A folder with them and the config, if any; returns its path."""
    folder.mkdir(parents=True)
    save_file({n: t.clone().contiguous() for n, t in tensors.items()}, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def reading(base: str, target: str) -> Narrative:
    """What a diff of two references is told as."""
    sides = (open_checkpoint(base), open_checkpoint(target))
    return narrate(run_diff(Comparison.of(*sides), device="cpu", cache=False).changes)


def text(narrative: Narrative) -> str:
    """All its sentences."""
    return " ".join((narrative.headline, *narrative.facts, *narrative.likeness))


def renamed(*pairs: tuple[str, str]) -> Rename:
    """A change of names by patterns and what takes their place, one after another."""

    def rename(name: str) -> str:
        for pattern, word in pairs:
            name = re.sub(pattern, word, name)
        return name

    return rename
