"""Llama's names with experts in place of the one MLP: Mixtral, Qwen2-MoE, Qwen3-MoE, OLMoE.

Mixtral says ``block_sparse_moe.experts.E.{w1, w3, w2}`` for gate, up and down, the others
``mlp.experts.E.…``; all call the router ``gate``. Newer files stack all experts in one tensor, gate
and up fused in halves. Absent: shared experts (but in Qwen2-MoE), a bias on experts or router,
fused q, k, v.
"""

from __future__ import annotations

from modeldiff.architectures.families.experts import GATED, expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    MLP_NAMES,
    OUTSIDE_NAMES,
    PRE_NORMS,
)

EXPERTS = expert_names("mlp.experts")
_MIXTRAL = {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}

MIXTRAL = Family(
    name="mixtral",
    model_types={"mixtral": "Mixtral"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        **EXPERTS,
        **expert_names("block_sparse_moe.experts", {**GATED, **_MIXTRAL}),
        "block_sparse_moe.gate": "mlp.router",
        "mlp.gate": "mlp.router",
    },
    outside=OUTSIDE_NAMES,
    defaults={"num_local_experts": 8, "num_experts_per_tok": 2},
)

QWEN_MOE = Family(
    name="qwen_moe",
    model_types={"qwen2_moe": "Qwen2-MoE", "qwen3_moe": "Qwen3-MoE", "olmoe": "OLMoE"},
    layer={
        **ATTENTION_NAMES,
        **MLP_NAMES,
        **PRE_NORMS,
        **EXPERTS,
        "mlp.gate": "mlp.router",
        **{
            f"mlp.shared_expert.{part}": f"mlp.shared_expert.{part}"
            for part in ("gate_proj", "up_proj", "down_proj")
        },
        "mlp.shared_expert_gate": "mlp.shared_expert_gate",
    },
    outside=OUTSIDE_NAMES,
)
