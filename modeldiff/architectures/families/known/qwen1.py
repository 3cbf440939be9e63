"""The first Qwen's names: GPT-2's, around a Llama's layer.

The traps: the gate is ``w2`` and what it multiplies ``w1``; matrices are stored [out, in], unlike
GPT-2's of the same names; the config counts gate and up together (``intermediate_size``). Absent:
KV heads fewer than heads, biases but on q, k and v, learned positions.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV

QWEN1 = Family(
    name="qwen1",
    model_types={"qwen": "Qwen"},
    lists=("h",),
    layer={
        "ln_1": "input_layernorm",
        "attn.c_attn": "self_attn.qkv_proj",
        "attn.c_proj": "self_attn.o_proj",
        "ln_2": "post_attention_layernorm",
        "mlp.w2": "mlp.gate_proj",
        "mlp.w1": "mlp.up_proj",
        "mlp.c_proj": "mlp.down_proj",
    },
    outside={"wte": "embed_tokens", "ln_f": "norm", "lm_head": "lm_head"},
    fused={"self_attn.qkv_proj": QKV},
    defaults={"hidden_act": "silu"},
)
