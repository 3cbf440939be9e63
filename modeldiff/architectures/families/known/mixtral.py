"""Llama's names with experts in place of the one MLP: Mixtral, Qwen2-MoE, Qwen3-MoE, OLMoE.

Mixtral says ``block_sparse_moe.experts.E.{w1, w3, w2}`` for gate, up and down, the others
``mlp.experts.E.…``; all call the router ``gate``. Absent: shared experts (but in Qwen2-MoE), a
bias on experts or router, fused matrices.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    MLP_NAMES,
    OUTSIDE_NAMES,
    PRE_NORMS,
    PREFIXES,
)

EXPERTS = {
    f"mlp.experts.#.{part}": f"mlp.experts.{part}" for part in ("gate_proj", "up_proj", "down_proj")
}

MIXTRAL = Family(
    name="mixtral",
    model_types={"mixtral": "Mixtral"},
    prefixes=PREFIXES,
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "block_sparse_moe.gate": "mlp.router",
        "block_sparse_moe.experts.#.w1": "mlp.experts.gate_proj",
        "block_sparse_moe.experts.#.w3": "mlp.experts.up_proj",
        "block_sparse_moe.experts.#.w2": "mlp.experts.down_proj",
    },
    outside=OUTSIDE_NAMES,
    defaults={"num_local_experts": 8, "num_experts_per_tok": 2},
)

QWEN_MOE = Family(
    name="qwen_moe",
    model_types={"qwen2_moe": "Qwen2-MoE", "qwen3_moe": "Qwen3-MoE", "olmoe": "OLMoE"},
    prefixes=PREFIXES,
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
