"""Small checkpoints with a change planted in them, whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.architectures import Architecture, understand
from modeldiff.changes import ChangeTable
from modeldiff.checkpoints import open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from tests.support.safetensors_files import encode as encode_file
from tests.support.safetensors_files import entry
from tests.support.slow_statistics import encode as encode_values

Values = dict[str, npt.NDArray[np.float64]]
"""A checkpoint's tensors by name."""

HIDDEN, HEADS, VOCABULARY = 64, 4, 96


def llama_values(layers: int = 6, experts: int = 0) -> Values:
    """Normal matrices and norms of ones under Llama's names, or Qwen3-MoE's where there are
    experts. The same each time."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes[f"{at}.input_layernorm.weight"] = (HIDDEN,)
        for name in ("q", "k", "v", "o"):
            shapes[f"{at}.self_attn.{name}_proj.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{at}.post_attention_layernorm.weight"] = (HIDDEN,)
        if experts:
            shapes[f"{at}.mlp.gate.weight"] = (experts, HIDDEN)
        networks = [f"mlp.experts.{expert}" for expert in range(experts)] or ["mlp"]
        for network in networks:
            shapes[f"{at}.{network}.gate_proj.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{at}.{network}.up_proj.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{at}.{network}.down_proj.weight"] = (HIDDEN, HIDDEN)
    shapes["model.norm.weight"] = (HIDDEN,)
    shapes["lm_head.weight"] = (VOCABULARY, HIDDEN)
    random = np.random.default_rng(0)
    return {
        name: random.standard_normal(shape) if len(shape) > 1 else np.ones(shape)
        for name, shape in shapes.items()
    }


def write_values(folder: Path, values: Values, dtype: str = "BF16") -> Path:
    """A folder with these tensors stored as ``dtype``."""
    header, data = {}, b""
    for name, value in values.items():
        raw = encode_values(value.reshape(-1), dtype).tobytes()
        header[name] = entry(dtype, list(value.shape), len(data), len(data) + len(raw))
        data += raw
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(encode_file(header, data))
    moe = any(".experts." in name for name in values)
    config = {
        "model_type": "qwen3_moe" if moe else "llama",
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_hidden_layers": len({n.split(".")[2] for n in values if ".layers." in n}),
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def measured(
    folder: Path, base: Values, target: Values, types: tuple[str, str] = ("BF16", "BF16")
) -> tuple[ChangeTable, Architecture, Architecture]:
    """The change table of the two, written and measured, and both architectures."""
    sides = [
        open_checkpoint(str(write_values(folder / name, values, dtype)))
        for name, values, dtype in zip(("base", "target"), (base, target), types, strict=True)
    ]
    changes = run_diff(Comparison.of(*sides), device="cpu", cache=False).changes
    return changes, understand(sides[0]), understand(sides[1])


def add_noise(values: Values, share: float, *names: str, seed: int = 1) -> Values:
    """The same with normal noise on the tensors whose name contains one of ``names`` (on all
    matrices where none is given): ``share`` times each tensor's root mean square."""
    random = np.random.default_rng(seed)
    noisy = {}
    for name, value in values.items():
        wanted = any(part in name for part in names) if names else value.ndim > 1
        size = share * float(np.sqrt(np.mean(value**2)))
        noisy[name] = value + size * random.standard_normal(value.shape) if wanted else value
    return noisy
