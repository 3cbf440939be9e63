"""Llama's multimodal relatives whose text layers differ: Llama 3.2 Vision and Llama 4.

Llama 3.2 Vision: some layers look at the picture in place of the text (``cross_attn``, its result
let in through learned gates) and so have no attention to the text; these layers read the stream
through ``input_layernorm`` too. Llama 4: every layer, or every second one, has experts stacked in
one tensor each, stored [in, out], gate and up fused, and one shared expert. Absent in both: biases,
norms after a sublayer, stored q and k norms but in the cross-attention.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.experts import expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    LLAMA,
    OUTSIDE_NAMES,
    PRE_NORMS,
)

_GATED_MLP = ("gate_proj", "up_proj", "down_proj")

LLAMA_VISION = replace(
    LLAMA,
    name="llama_vision",
    model_types={"mllama": "Llama 3.2 Vision", "mllama_text_model": "Llama 3.2 Vision"},
    layer={
        **LLAMA.layer,
        **{
            name.replace("self_", "cross_"): p.replace("self_", "cross_")
            for name, p in ATTENTION_NAMES.items()
        },
        "cross_attn_attn_gate": "cross_attn.attn_gate",
        "cross_attn_mlp_gate": "cross_attn.mlp_gate",
    },
    own=frozenset({"cross_attn.attn_gate", "cross_attn.mlp_gate"}),
)

LLAMA4 = Family(
    name="llama4",
    model_types={"llama4": "Llama 4", "llama4_text": "Llama 4"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "feed_forward.router": "mlp.router",
        **expert_names("feed_forward.experts"),
        **{f"feed_forward.{part}": f"mlp.{part}" for part in _GATED_MLP},
        **{
            f"feed_forward.shared_expert.{part}": f"mlp.shared_expert.{part}" for part in _GATED_MLP
        },
    },
    outside=OUTSIDE_NAMES,
    transposed=frozenset({"mlp.experts.gate_up_proj", "mlp.experts.down_proj"}),
    defaults={"hidden_act": "silu"},
)
