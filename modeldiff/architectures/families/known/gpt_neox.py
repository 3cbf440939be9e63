"""GPT-NeoX's names: Pythia, GPT-NeoX-20B and their kin.

Absent: a gate in the MLP, separate q, k and v (one matrix, [q, k, v] head by head), a tied head
(it is ``embed_out``). Attention and MLP usually read the stream side by side. Older files also
store the causal mask and the rotary frequencies.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV_BY_HEAD

GPT_NEOX = Family(
    name="gpt_neox",
    model_types={"gpt_neox": "GPT-NeoX"},
    prefixes=("gpt_neox.",),
    layer={
        "input_layernorm": "input_layernorm",
        "attention.query_key_value": "self_attn.qkv_proj",
        "attention.dense": "self_attn.o_proj",
        "post_attention_layernorm": "post_attention_layernorm",
        "mlp.dense_h_to_4h": "mlp.up_proj",
        "mlp.dense_4h_to_h": "mlp.down_proj",
        "mlp.linear1": "mlp.up_proj",
        "mlp.linear2": "mlp.down_proj",
    },
    outside={
        "embed_in": "embed_tokens",
        "word_embeddings": "embed_tokens",
        "final_layer_norm": "norm",
        "norm": "norm",
        "embed_out": "lm_head",
        "final_linear": "lm_head",
    },
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
    defaults={"use_parallel_residual": True, "hidden_act": "gelu"},
    norm="LayerNorm",
    parallel="use_parallel_residual",
)
