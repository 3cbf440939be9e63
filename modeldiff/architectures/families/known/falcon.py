"""The names that BLOOM and Falcon share.

BLOOM: a norm after the embedding, ALiBi, biases everywhere. Falcon: RoPE, no bias in a matrix, one
norm read by attention and MLP side by side (7B), or one norm for each (``ln_attn``, ``ln_mlp`` in
40B and 180B). Its oldest (RW) are built as BLOOM is, but for the norm after the embedding: layers
alone don't tell the two apart. Absent in all: a gate in the MLP, separate q, k and v, a stored head
(it is the embedding). The fused matrix holds [q, k, v] head by head or group by group.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV_BY_HEAD

_MATRICES = {
    "self_attention.query_key_value": "self_attn.qkv_proj",
    "self_attention.dense": "self_attn.o_proj",
    "mlp.dense_h_to_4h": "mlp.up_proj",
    "mlp.dense_4h_to_h": "mlp.down_proj",
}
_NORMS = {
    "input_layernorm": "input_layernorm",
    "post_attention_layernorm": "post_attention_layernorm",
}
_NORMS_APART = {"ln_attn": "input_layernorm", "ln_mlp": "post_attention_layernorm"}
_FUSED = {"self_attn.qkv_proj": QKV_BY_HEAD}
_OUTSIDE = {"word_embeddings": "embed_tokens", "ln_f": "norm", "lm_head": "lm_head"}

FALCON = Family(
    name="falcon",
    model_types={"falcon": "Falcon", "RefinedWeb": "Falcon", "RefinedWebModel": "Falcon"},
    lists=("h",),
    layer={
        **_NORMS,
        **_NORMS_APART,
        **{f"{name}.weight": f"{component}:weight" for name, component in _MATRICES.items()},
    },
    outside=_OUTSIDE,
    fused=_FUSED,
    defaults={
        "tie_word_embeddings": True,
        "activation": "gelu",
        "parallel_attn": True,
        "multi_query": True,
    },
    norm="LayerNorm",
    parallel="parallel_attn",
)

FALCON_BIASED = replace(FALCON, name="falcon_biased", layer={**_NORMS, **_NORMS_APART, **_MATRICES})
"""The same of a config that says how it is built, with biases."""

BLOOM = Family(
    name="bloom",
    model_types={"bloom": "BLOOM"},
    lists=("h",),
    layer={**_NORMS, **_MATRICES},
    outside={**_OUTSIDE, "word_embeddings_layernorm": "embed_layernorm"},
    fused=_FUSED,
    defaults={"tie_word_embeddings": True, "activation": "gelu_new", "alibi": True},
    norm="LayerNorm",
    position="ALiBi",
)

BLOOM_OR_FALCON = replace(
    BLOOM,
    name="bloom_or_falcon",
    model_types={"": "BLOOM or Falcon RW"},
    outside=_OUTSIDE,
)
"""Layers with biases, and no config: a part of a BLOOM, or one of the oldest Falcons."""
