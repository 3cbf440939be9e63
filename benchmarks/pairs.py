"""Builds synthetic pairs of checkpoints at real size, as folders in the form they are published in.

Values are normal, the target is the base plus normal noise: a fifth of a weight's size, twice that
in the first layer, a hundredth for norms; the same seed gives the same files.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.cores import usable_cores
from modeldiff.checkpoints import STORED_TYPES

_BLOCK = 1 << 22
_POOL = 1 << 24

Shapes = dict[str, tuple[int, ...]]
Values = npt.NDArray[np.float32]
Stored = npt.NDArray[np.generic]
_Block = Callable[[], tuple[Values, Values]]
"""Makes a part of a tensor: base's values and target's."""


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
        shapes: Shapes = {"model.embed_tokens.weight": (self.vocabulary, self.hidden)}
        for layer in range(self.layers):
            block = f"model.layers.{layer}"
            shapes[f"{block}.input_layernorm.weight"] = (self.hidden,)
            shapes[f"{block}.mlp.down_proj.weight"] = (self.hidden, self.intermediate)
            shapes[f"{block}.mlp.gate_proj.weight"] = (self.intermediate, self.hidden)
            shapes[f"{block}.mlp.up_proj.weight"] = (self.intermediate, self.hidden)
            shapes[f"{block}.post_attention_layernorm.weight"] = (self.hidden,)
            shapes[f"{block}.self_attn.k_proj.weight"] = (self.kv, self.hidden)
            shapes[f"{block}.self_attn.o_proj.weight"] = (self.hidden, self.hidden)
            shapes[f"{block}.self_attn.q_proj.weight"] = (self.hidden, self.hidden)
            shapes[f"{block}.self_attn.v_proj.weight"] = (self.kv, self.hidden)
        shapes["model.norm.weight"] = (self.hidden,)
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocabulary, self.hidden)
        return shapes

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


MIXED = Shape(8, 2048, 8192, 512, 32, 8192, tied=True, shard_bytes=2_000_000_000)
"""Half of the layers of Llama 3.2 1B and a small vocabulary: half a billion values."""
MIXED_TYPES = (
    ("BF16", "BF16"),
    ("BF16", "F16"),
    ("BF16", "F32"),
    ("BF16", "F8_E4M3"),
    ("F16", "F16"),
)
"""Base's and target's type, the pair first that the others stand beside."""


@dataclass(frozen=True)
class _Side:
    """A folder to be written: base's or target's values, stored as ``dtype``."""

    folder: Path
    changed: bool
    dtype: str


def make_pair(size: str, folder: Path) -> tuple[Path, Path]:
    """The folders ``base`` and ``target`` of a size, built below ``folder`` where missing."""
    base, target = folder / size / "base", folder / size / "target"
    sides = _Side(base, False, "BF16"), _Side(target, True, "BF16")
    if size == "many":
        names: Shapes = dict.fromkeys(_names_of_many(), (64, 64))
        _write([names], {"model_type": "synthetic", "torch_dtype": "bfloat16"}, sides)
    else:
        shape = SHAPES[size]
        _write(_split(shape.tensors(), shape.shard_bytes), shape.config(), sides)
    return base, target


def write_plain(shape: Shape, folder: Path) -> tuple[Path, Path]:
    """The folders ``base`` and ``target`` of a model in one file of bf16, built below ``folder``
    where missing."""
    base, target = folder / "base", folder / "target"
    sides = _Side(base, False, "BF16"), _Side(target, True, "BF16")
    _write([shape.tensors()], shape.config(), sides)
    return base, target


def make_mixed_pairs(folder: Path) -> dict[tuple[str, str], tuple[Path, Path]]:
    """The folders of ``MIXED`` for each of ``MIXED_TYPES``, built below ``folder`` where missing:
    the same values everywhere, as each type can hold them."""
    folders: dict[tuple[bool, str], Path] = {}
    for base, target in MIXED_TYPES:
        folders[False, base] = folder / "mixed" / f"base-{base}"
        folders[True, target] = folder / "mixed" / f"target-{target}"
    sides = [_Side(path, changed, dtype) for (changed, dtype), path in folders.items()]
    _write([MIXED.tensors()], MIXED.config(), sides)
    return {types: (folders[False, types[0]], folders[True, types[1]]) for types in MIXED_TYPES}


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


def _write(shards: list[Shapes], config: Mapping[str, object], sides: Sequence[_Side]) -> None:
    """Write all sides in one go, unless they are there; the config is written last."""
    if all((side.folder / "config.json").is_file() for side in sides):
        return
    for side in sides:
        side.folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    pools = random.standard_normal((2, _POOL), np.float32)
    index: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors"
        if len(shards) > 1:
            name = f"model-{number:05}-of-{len(shards):05}.safetensors"
            index |= dict.fromkeys(shard, name)
        with ExitStack() as stack:
            files = [stack.enter_context((side.folder / name).open("wb")) for side in sides]
            for file, side in zip(files, sides, strict=True):
                header = _header(shard, side.dtype)
                file.write(len(header).to_bytes(8, "little") + header)
            for tensor, shape in shard.items():
                for encoded in _encoded(_blocks(tensor, prod(shape), pools, random), sides):
                    for file, stored in zip(files, encoded, strict=True):
                        file.write(stored.data)
    if index:
        total = sum(prod(shape) * 2 for shard in shards for shape in shard.values())
        document = {"metadata": {"total_size": total}, "weight_map": index}
        for side in sides:
            (side.folder / "model.safetensors.index.json").write_text(json.dumps(document))
    for side in sides:
        (side.folder / "config.json").write_text(json.dumps(config, indent=1))


def _header(shard: Shapes, dtype: str) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shard.items():
        end = offset + prod(shape) * STORED_TYPES[dtype].bits // 8
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _encoded(blocks: Iterable[_Block], sides: Sequence[_Side]) -> Iterator[list[Stored]]:
    """What each side stores of each block, in order; all cores work ahead."""
    cores = usable_cores()
    waiting: deque[Future[list[Stored]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for block in blocks:
            waiting.append(pool.submit(_of_sides, block, sides))
            if len(waiting) > 2 * cores:
                yield waiting.popleft().result()
        yield from (each.result() for each in waiting)


def _of_sides(block: _Block, sides: Sequence[_Side]) -> list[Stored]:
    values = block()
    return [_ENCODERS[side.dtype](values[side.changed]) for side in sides]


def _blocks(
    name: str,
    elements: int,
    pools: Values,
    random: np.random.Generator,
) -> Iterator[_Block]:
    """The tensor's values on both sides, cut from pools of random numbers at random places."""
    norm = "norm" in name
    scale = np.float32(1.0 if norm else 0.02)
    noise = np.float32(0.01 if norm else 0.4 if ".layers.0." in name else 0.2)
    for start in range(0, elements, _BLOCK):
        count = min(_BLOCK, elements - start)
        places = random.integers(0, _POOL - count, 2)
        values, steps = (pool[at : at + count] for pool, at in zip(pools, places, strict=True))
        yield partial(_both_sides, values, steps, scale, noise)


def _both_sides(
    values: Values, steps: Values, scale: np.float32, noise: np.float32
) -> tuple[Values, Values]:
    return values * scale, (values + noise * steps) * scale


def _bfloat16(values: Values) -> Stored:
    """Rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype("<u2")


def _float8(values: Values) -> Stored:
    """As torch rounds them."""
    import torch

    stored: Stored = torch.from_numpy(values).to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    return stored


_ENCODERS: dict[str, Callable[[Values], Stored]] = {
    "BF16": _bfloat16,
    "F16": lambda values: values.astype("<f2"),
    "F32": lambda values: values.astype("<f4"),
    "F8_E4M3": _float8,
}
