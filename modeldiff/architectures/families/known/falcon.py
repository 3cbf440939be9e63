"""The names that BLOOM and Falcon share.

BLOOM: a norm after the embedding, ALiBi, biases everywhere. Falcon: RoPE (ALiBi in the oldest),
one norm read by attention and MLP side by side (7B), or one norm for each (``ln_attn``, ``ln_mlp``
in 40B and 180B). Absent in both: a gate in the MLP, separate q, k and v, a stored head (it is the
embedding). The fused matrix holds [q, k, v] head by head or group by group.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV_BY_HEAD

_LAYER = {
    "input_layernorm": "input_layernorm",
    "self_attention.query_key_value": "self_attn.qkv_proj",
    "self_attention.dense": "self_attn.o_proj",
    "post_attention_layernorm": "post_attention_layernorm",
    "mlp.dense_h_to_4h": "mlp.up_proj",
    "mlp.dense_4h_to_h": "mlp.down_proj",
}
_FUSED = {"self_attn.qkv_proj": QKV_BY_HEAD}
_OUTSIDE = {"word_embeddings": "embed_tokens", "ln_f": "norm", "lm_head": "lm_head"}

FALCON = Family(
    name="falcon",
    model_types={"falcon": "Falcon", "RefinedWeb": "Falcon", "RefinedWebModel": "Falcon"},
    lists=("h",),
    layer={**_LAYER, "ln_attn": "input_layernorm", "ln_mlp": "post_attention_layernorm"},
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

BLOOM = Family(
    name="bloom",
    model_types={"bloom": "BLOOM"},
    lists=("h",),
    layer=_LAYER,
    outside={**_OUTSIDE, "word_embeddings_layernorm": "embed_layernorm"},
    fused=_FUSED,
    defaults={"tie_word_embeddings": True, "activation": "gelu_new", "alibi": True},
    norm="LayerNorm",
    position="ALiBi",
)
