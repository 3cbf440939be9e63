"""Megatron's names, of its core and of its older models, and ChatGLM's, which come from the latter.

q, k and v are fused group by group (``linear_qkv``; in ChatGLM rows q | k | v). ``linear_fc1`` is
gate and up where the MLP has a gate, up alone where it has none: its rows tell. A norm may be fused
into the matrix that reads it, and is then one of its parameters (``layer_norm_weight``). GPT-NeoX'
own names are these, too, under other lists. Absent: another row order than transformers'; shards
of tensor parallelism, which are not put together here.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.experts import expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV, QKV_BY_HEAD

_FC = {"linear_fc1": "gate_up_proj", "linear_fc2": "down_proj"}


def _norms_in(matrix: str, norm: str) -> dict[str, str]:
    return {f"{matrix}.layer_norm_{part}": f"{norm}:{part}" for part in ("weight", "bias")}


MEGATRON_CORE = Family(
    name="megatron_core",
    model_types={"": "Megatron's names"},
    lists=("decoder.layers",),
    layer={
        "input_layernorm": "input_layernorm",
        **_norms_in("self_attention.linear_qkv", "input_layernorm"),
        "self_attention.linear_qkv": "self_attn.qkv_proj",
        "self_attention.q_layernorm": "self_attn.q_norm",
        "self_attention.k_layernorm": "self_attn.k_norm",
        "self_attention.linear_proj": "self_attn.o_proj",
        "pre_mlp_layernorm": "post_attention_layernorm",
        **_norms_in("mlp.linear_fc1", "post_attention_layernorm"),
        **{f"mlp.{stored}": f"mlp.{part}" for stored, part in _FC.items()},
        "mlp.router": "mlp.router",
        **expert_names("mlp.experts.local_experts", _FC),
        **expert_names("mlp.experts.experts", _FC),
        **{f"mlp.shared_experts.{stored}": f"mlp.shared_expert.{p}" for stored, p in _FC.items()},
    },
    outside={
        "embedding.word_embeddings": "embed_tokens",
        "embedding.position_embeddings": "embed_positions",
        "decoder.final_layernorm": "norm",
        "decoder.final_norm": "norm",
        "output_layer": "lm_head",
    },
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
)

MEGATRON = Family(
    name="megatron",
    model_types={"": "Megatron's names"},
    prefixes=("encoder.",),
    layer={
        "input_layernorm": "input_layernorm",
        "self_attention.query_key_value": "self_attn.qkv_proj",
        "attention.query_key_value": "self_attn.qkv_proj",
        "self_attention.dense": "self_attn.o_proj",
        "attention.dense": "self_attn.o_proj",
        "post_attention_layernorm": "post_attention_layernorm",
        "mlp.dense_h_to_4h": "mlp.gate_up_proj",
        "mlp.dense_4h_to_h": "mlp.down_proj",
    },
    outside={
        "embedding.word_embeddings": "embed_tokens",
        "embedding.position_embeddings": "embed_positions",
        "final_layernorm": "norm",
        "final_layer_norm": "norm",
        "output_layer": "lm_head",
    },
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
)

CHATGLM = replace(
    MEGATRON,
    name="chatglm",
    model_types={"chatglm": "ChatGLM"},
    fused={"self_attn.qkv_proj": QKV},
)
