"""Phi's names: Phi-1 to Phi-2, and Phi-3 and 4.

Phi-2: attention and MLP read one norm side by side, biases everywhere (also on the head), no gate.
Phi-3: as Llama, but q, k, v fused in one matrix and gate, up in another; vLLM stores any Llama so.
Absent: norms after a sublayer.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    LLAMA,
    OUTSIDE_NAMES,
    PRE_NORMS,
)

PHI = Family(
    name="phi",
    model_types={"phi": "Phi"},
    layer={
        **ATTENTION_NAMES,
        "input_layernorm": "input_layernorm",
        "self_attn.q_layernorm": "self_attn.q_norm",
        "self_attn.k_layernorm": "self_attn.k_norm",
        "self_attn.dense": "self_attn.o_proj",
        "mlp.fc1": "mlp.up_proj",
        "mlp.fc2": "mlp.down_proj",
    },
    outside={"embed_tokens": "embed_tokens", "final_layernorm": "norm", "lm_head": "lm_head"},
    defaults={"hidden_act": "gelu_new"},
    norm="LayerNorm",
    parallel=True,
)

PHI3 = Family(
    name="phi3",
    model_types={"phi3": "Phi-3", "phi4": "Phi-4", **LLAMA.model_types},
    layer={
        **PRE_NORMS,
        "self_attn.qkv_proj": "self_attn.qkv_proj",
        **{f"self_attn.{part}": f"self_attn.{part}" for part in ("q_norm", "k_norm", "o_proj")},
        "mlp.gate_up_proj": "mlp.gate_up_proj",
        "mlp.down_proj": "mlp.down_proj",
    },
    outside=OUTSIDE_NAMES,
    fused={"self_attn.qkv_proj": QKV},
)
