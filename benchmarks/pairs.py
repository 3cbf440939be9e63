"""Builds synthetic pairs of checkpoints at real size, as folders in the form they are published in.

Values are normal, the target is the base plus normal noise: a fifth of a weight's size, twice that
in the first layer, a hundredth for norms; the same seed gives the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 22
_POOL = 1 << 24
_DTYPE = np.dtype("<u2")

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Shape:
    """A Llama-shaped model; sizes as in its config."""

    layers: int
    hidden: int
    intermediate: int
    kv: int
    heads: int
    vocabulary: int
    tied: bool
    shard_bytes: int

    def tensors(self) -> Shapes:
        """Names and shapes in the order of the layers."""
        found: Shapes = {"model.embed_tokens.weight": (self.vocabulary, self.hidden)}
        for layer in range(self.layers):
            block = f"model.layers.{layer}"
            found[f"{block}.input_layernorm.weight"] = (self.hidden,)
            found[f"{block}.mlp.down_proj.weight"] = (self.hidden, self.intermediate)
            found[f"{block}.mlp.gate_proj.weight"] = (self.intermediate, self.hidden)
            found[f"{block}.mlp.up_proj.weight"] = (self.intermediate, self.hidden)
            found[f"{block}.post_attention_layernorm.weight"] = (self.hidden,)
            found[f"{block}.self_attn.k_proj.weight"] = (self.kv, self.hidden)
            found[f"{block}.self_attn.o_proj.weight"] = (self.hidden, self.hidden)
            found[f"{block}.self_attn.q_proj.weight"] = (self.hidden, self.hidden)
            found[f"{block}.self_attn.v_proj.weight"] = (self.kv, self.hidden)
        found["model.norm.weight"] = (self.hidden,)
        if not self.tied:
            found["lm_head.weight"] = (self.vocabulary, self.hidden)
        return found

    def config(self) -> dict[str, object]:
        """What ``config.json`` says."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv * self.heads // self.hidden,
            "head_dim": self.hidden // self.heads,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": self.tied,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "hidden_act": "silu",
            "max_position_embeddings": 131072,
            "torch_dtype": "bfloat16",
        }


SHAPES = {
    "1b": Shape(16, 2048, 8192, 512, 32, 128256, tied=True, shard_bytes=2_000_000_000),
    "8b": Shape(32, 4096, 14336, 1024, 32, 128256, tied=False, shard_bytes=5_000_000_000),
}
"""Llama 3.2 1B (4.94 GB a pair) and Llama 3 8B (32 GB a pair)."""
SIZES = (*SHAPES, "many")
"""``many``: 20,000 matrices of 64 × 64, in one file a side, named as a mixture of experts'."""


def make_pair(size: str, folder: Path) -> tuple[Path, Path]:
    """The folders ``base`` and ``target`` of a size, built below ``folder`` where missing."""
    base, target = folder / size / "base", folder / size / "target"
    if (target / "config.json").is_file():
        return base, target
    if size == "many":
        names: Shapes = dict.fromkeys(_names_of_many(), (64, 64))
        config: dict[str, object] = {"model_type": "synthetic", "torch_dtype": "bfloat16"}
        shards = [names]
    else:
        config = SHAPES[size].config()
        shards = _split(SHAPES[size].tensors(), SHAPES[size].shard_bytes)
    for side in (base, target):
        side.mkdir(parents=True, exist_ok=True)
    _write_shards(shards, base, target)
    for side in (base, target):
        (side / "config.json").write_text(json.dumps(config, indent=1))
    return base, target


def _names_of_many() -> Iterator[str]:
    """50 layers of a router and 133 experts of three matrices."""
    for layer in range(50):
        yield f"model.layers.{layer}.mlp.gate.weight"
        for expert in range(133):
            for part in ("gate_proj", "up_proj", "down_proj"):
                yield f"model.layers.{layer}.mlp.experts.{expert}.{part}.weight"


def _split(tensors: Shapes, shard_bytes: int) -> list[Shapes]:
    shards: list[Shapes] = [{}]
    taken = 0
    for name, shape in tensors.items():
        nbytes = prod(shape) * 2
        if taken and taken + nbytes > shard_bytes:
            shards.append({})
            taken = 0
        shards[-1][name] = shape
        taken += nbytes
    return shards


def _write_shards(shards: list[Shapes], base: Path, target: Path) -> None:
    random = np.random.default_rng(1)
    pools = random.standard_normal((2, _POOL), np.float32)
    index: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors"
        if len(shards) > 1:
            name = f"model-{number:05}-of-{len(shards):05}.safetensors"
            index |= dict.fromkeys(shard, name)
        header = _header(shard)
        with (base / name).open("wb") as one, (target / name).open("wb") as other:
            for file in (one, other):
                file.write(len(header).to_bytes(8, "little") + header)
            for tensor, shape in shard.items():
                for a, b in _blocks(tensor, prod(shape), pools, random):
                    one.write(a.data)
                    other.write(b.data)
    if index:
        total = sum(prod(shape) * 2 for shard in shards for shape in shard.values())
        document = {"metadata": {"total_size": total}, "weight_map": index}
        for side in (base, target):
            (side / "model.safetensors.index.json").write_text(json.dumps(document))


def _header(shard: Shapes) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shard.items():
        end = offset + prod(shape) * 2
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _blocks(
    name: str,
    elements: int,
    pools: npt.NDArray[np.float32],
    random: np.random.Generator,
) -> Iterator[tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]]:
    """The tensor's values on both sides, cut from pools of random numbers at random places."""
    norm = "norm" in name
    scale = np.float32(1.0 if norm else 0.02)
    noise = np.float32(0.01 if norm else 0.4 if ".layers.0." in name else 0.2)
    for start in range(0, elements, _BLOCK):
        count = min(_BLOCK, elements - start)
        places = random.integers(0, _POOL - count, 2)
        values, steps = (pool[at : at + count] for pool, at in zip(pools, places, strict=True))
        yield _bfloat16(values * scale), _bfloat16((values + noise * steps) * scale)


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(_DTYPE)
