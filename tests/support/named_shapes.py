"""Checkpoints made of names and shapes alone: what a header and a config say, no bytes behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from modeldiff.architectures import Architecture, Node
from modeldiff.checkpoints import Checkpoint, Reference, TensorInfo
from modeldiff.checkpoints.config_only.catalog import catalog_config
from modeldiff.checkpoints.sources.config_only import ConfigOnly

Shapes = Mapping[str, tuple[int, ...]]

_BYTES = {"F32": 4, "I32": 4, "U32": 4, "I64": 8, "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1}


def checkpoint(
    shapes: Shapes,
    config: Mapping[str, Any] | None = None,
    *,
    dtypes: Mapping[str, str] | None = None,
) -> Checkpoint:
    """A checkpoint of these tensors, bf16 where ``dtypes`` does not say otherwise."""
    tensors = []
    for name, shape in shapes.items():
        dtype = (dtypes or {}).get(name, "BF16")
        nbytes = prod(shape) * _BYTES.get(dtype, 2)
        tensors.append(TensorInfo.stored(name, dtype, tuple(shape), "model.safetensors", 0, nbytes))
    reference = Reference("folder", "/models/made-up", "/models/made-up")
    return Checkpoint(
        reference=reference,
        format="safetensors",
        tensors=tuple(tensors),
        files={"model.safetensors": 0},
        config=config,
        metadata={},
        fingerprint="made-up",
        source=ConfigOnly(reference, b"{}"),
    )


def llama_shapes(config: Mapping[str, Any], *, head: bool = True) -> dict[str, tuple[int, ...]]:
    """What a Llama, Mistral, Qwen2 or Qwen3 stores: in each layer in alphabetical order."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim", width // heads)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], width)
    }
    for layer in range(config["num_hidden_layers"]):
        held: dict[str, tuple[int, ...]] = {
            "input_layernorm.weight": (width,),
            "mlp.down_proj.weight": (width, inner),
            "mlp.gate_proj.weight": (inner, width),
            "mlp.up_proj.weight": (inner, width),
            "post_attention_layernorm.weight": (width,),
            "self_attn.k_proj.weight": (kv_heads * head_dim, width),
            "self_attn.o_proj.weight": (width, heads * head_dim),
            "self_attn.q_proj.weight": (heads * head_dim, width),
            "self_attn.v_proj.weight": (kv_heads * head_dim, width),
        }
        if config["model_type"] == "qwen2":
            held |= {
                "self_attn.k_proj.bias": (kv_heads * head_dim,),
                "self_attn.q_proj.bias": (heads * head_dim,),
                "self_attn.v_proj.bias": (kv_heads * head_dim,),
            }
        if config["model_type"] == "qwen3":
            held |= {"self_attn.k_norm.weight": (head_dim,), "self_attn.q_norm.weight": (head_dim,)}
        shapes |= {f"model.layers.{layer}.{name}": held[name] for name in sorted(held)}
    shapes["model.norm.weight"] = (width,)
    if head:
        shapes["lm_head.weight"] = (config["vocab_size"], width)
    return shapes


def gpt2_shapes(
    *, layers: int = 12, prefix: str = "", masks: bool = False
) -> dict[str, tuple[int, ...]]:
    """GPT-2's 124M as published: no head, matrices [in, out]."""
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}wte.weight": (50257, 768),
        f"{prefix}wpe.weight": (1024, 768),
    }
    for layer in range(layers):
        held: dict[str, tuple[int, ...]] = {
            "ln_1.weight": (768,),
            "ln_1.bias": (768,),
            "attn.c_attn.weight": (768, 2304),
            "attn.c_attn.bias": (2304,),
            "attn.c_proj.weight": (768, 768),
            "attn.c_proj.bias": (768,),
            "ln_2.weight": (768,),
            "ln_2.bias": (768,),
            "mlp.c_fc.weight": (768, 3072),
            "mlp.c_fc.bias": (3072,),
            "mlp.c_proj.weight": (3072, 768),
            "mlp.c_proj.bias": (768,),
        }
        if masks:
            held |= {"attn.bias": (1, 1, 1024, 1024), "attn.masked_bias": ()}
        shapes |= {f"{prefix}h.{layer}.{name}": shape for name, shape in held.items()}
    return {**shapes, f"{prefix}ln_f.weight": (768,), f"{prefix}ln_f.bias": (768,)}


def published(name: str, *, head: bool = True) -> Checkpoint:
    """A Llama-named model of the catalog."""
    config = catalog_config(name)
    return checkpoint(llama_shapes(config, head=head), config)


@cache
def _tiny_models() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "data" / "tiny_models.json"
    models: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return models


def tiny_names() -> tuple[str, ...]:
    """The families of which transformers 5.23 saved a tiny model for ``tests/data``."""
    return tuple(_tiny_models())


def tiny(name: str) -> Checkpoint:
    """The names, shapes and config of that tiny model."""
    model = _tiny_models()[name]
    return checkpoint(model["tensors"], model["config"])


def invented(layers: int = 3) -> Checkpoint:
    """A decoder whose names nobody has seen before."""
    shapes: dict[str, tuple[int, ...]] = {"net.token_emb.weight": (100, 16)}
    for layer in range(layers):
        name = f"net.stages.{layer}"
        shapes |= {
            f"{name}.norm1.scale": (16,),
            f"{name}.attention.wq.weight": (16, 16),
            f"{name}.attention.wk.weight": (16, 16),
            f"{name}.attention.wv.weight": (16, 16),
            f"{name}.attention.wo.weight": (16, 16),
            f"{name}.attention.wo.bias": (16,),
            f"{name}.norm2.scale": (16,),
            f"{name}.ffn.w1.weight": (64, 16),
            f"{name}.ffn.w2.weight": (16, 64),
            f"{name}.whatnot": (3, 3),
        }
    return checkpoint({**shapes, "net.readout.weight": (100, 16)})


def named_nodes(architecture: Architecture) -> Iterator[tuple[str, Node]]:
    """Every node with the name of what it stands in: a layer kind, the stem or the tail."""
    for node in architecture.stem:
        yield "stem", node
    for kind in architecture.layer_kinds:
        for node in kind.nodes():
            yield kind.name, node
    for node in architecture.tail:
        yield "tail", node
