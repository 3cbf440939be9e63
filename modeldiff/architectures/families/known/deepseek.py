"""DeepSeek's names, V2 and V3, and GLM-4-MoE's, which took over the experts'.

Multi-head latent attention: low-rank pairs in place of q, k and v (the small V2 has a plain
q_proj). The first layers are dense, the others hold experts, shared experts and a router with a
correction that is added to its scores. Absent: biases, fused matrices. Published V3 files end with
a layer beyond those that the config counts: it predicts the token after the next (``mtp`` here)
from the last layer's result and the next token's embedding, each normed (``hnorm``, ``enorm``) and
joined by ``eh_proj``; it stores embedding and head a second time.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    MLP_NAMES,
    OUTSIDE_NAMES,
    PRE_NORMS,
)
from modeldiff.architectures.families.known.mixtral import EXPERTS

DEEPSEEK = Family(
    name="deepseek",
    model_types={
        "deepseek_v2": "DeepSeek-V2",
        "deepseek_v3": "DeepSeek-V3",
        "glm4_moe": "GLM-4-MoE",
    },
    layer={
        **ATTENTION_NAMES,
        **MLP_NAMES,
        **PRE_NORMS,
        **EXPERTS,
        "self_attn.q_a_proj": "self_attn.q_a_proj",
        "self_attn.q_a_layernorm": "self_attn.q_a_layernorm",
        "self_attn.q_b_proj": "self_attn.q_b_proj",
        "self_attn.kv_a_proj_with_mqa": "self_attn.kv_a_proj",
        "self_attn.kv_a_layernorm": "self_attn.kv_a_layernorm",
        "self_attn.kv_b_proj": "self_attn.kv_b_proj",
        "mlp.gate": "mlp.router",
        **{part: part for part in ("embed_tokens", "enorm", "hnorm", "eh_proj")},
        "shared_head.norm": "shared_head.norm",
        "shared_head.head": "shared_head.head",
        **{
            f"mlp.shared_experts.{part}": f"mlp.shared_expert.{part}"
            for part in ("gate_proj", "up_proj", "down_proj")
        },
    },
    outside=OUTSIDE_NAMES,
    defaults={"hidden_act": "silu"},
    beyond="mtp",
    own=frozenset({"enorm", "hnorm", "eh_proj", "shared_head.norm", "shared_head.head"}),
)
