"""Granite's names where it has experts (a Granite without them has Llama's).

All experts are stacked in one tensor: ``input_linear`` is gate and up, ``output_linear`` is down.
Absent: experts one by one, biases, norms after a sublayer. Granite 4 has the same names, with a
state space in place of the attention in most layers; its smaller models have the shared expert
alone.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, OUTSIDE_NAMES, PRE_NORMS
from modeldiff.architectures.families.known.mamba import MIXER_NAMES

GRANITE_MOE = Family(
    name="granite_moe",
    model_types={"granitemoe": "Granite-MoE", "granitemoeshared": "Granite-MoE"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "block_sparse_moe.router.layer": "mlp.router",
        "block_sparse_moe.input_linear": "mlp.experts.gate_up_proj",
        "block_sparse_moe.output_linear": "mlp.experts.down_proj",
        "shared_mlp.input_linear": "mlp.shared_expert.gate_up_proj",
        "shared_mlp.output_linear": "mlp.shared_expert.down_proj",
    },
    outside=OUTSIDE_NAMES,
    defaults={"hidden_act": "silu"},
)

GRANITE_HYBRID = replace(
    GRANITE_MOE,
    name="granite_hybrid",
    model_types={"granitemoehybrid": "Granite 4"},
    layer={**GRANITE_MOE.layer, **{f"mamba.{part}": f"mixer.{part}" for part in MIXER_NAMES}},
)
