"""litgpt's names for the many models that it trains.

q, k and v are fused: rows q | k | v in ``attn.qkv``, group by group in the ``attn.attn`` of older
versions. Gate, up and down are ``fc_1``, ``fc_2`` and ``proj``; without a gate, up is ``fc``. The
config is a YAML file, so widths and heads come from a ``config.json`` beside it or not at all.
Absent: another row order of queries and keys than transformers'.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.experts import expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV, QKV_BY_HEAD
from modeldiff.architectures.families.known.llama import LLAMA

_MLP = {"fc_1": "gate_proj", "fc_2": "up_proj", "proj": "down_proj"}

LITGPT = Family(
    name="litgpt",
    model_types={"": "litgpt's names", **LLAMA.model_types},
    lists=("h",),
    layer={
        "norm_1": "input_layernorm",
        "attn.qkv": "self_attn.qkv_proj",
        "attn.norm_q": "self_attn.q_norm",
        "attn.norm_k": "self_attn.k_norm",
        "attn.proj": "self_attn.o_proj",
        "post_attention_norm": "post_self_attn_layernorm",
        "norm_2": "post_attention_layernorm",
        **{f"mlp.{stored}": f"mlp.{part}" for stored, part in _MLP.items()},
        "mlp.fc": "mlp.up_proj",
        "mlp.gate": "mlp.router",
        **expert_names("mlp.experts", _MLP),
        "post_mlp_norm": "post_mlp_layernorm",
    },
    outside={"wte": "embed_tokens", "ln_f": "norm", "lm_head": "lm_head"},
    fused={"self_attn.qkv_proj": QKV},
)

LITGPT_OLD = replace(
    LITGPT,
    name="litgpt_old",
    layer={
        **{name: place for name, place in LITGPT.layer.items() if name != "attn.qkv"},
        "attn.attn": "self_attn.qkv_proj",
    },
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
)
