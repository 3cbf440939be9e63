"""gpt-oss's names: experts stacked in one tensor each, sinks in the attention, biases everywhere.

Absent: shared experts, q and k norms; published files have no experts one by one. Gate and up are
fused, even columns gate, odd columns up, and the experts' matrices are stored [in, out]. Published
files store the experts in MXFP4, [out, in]: ``…_blocks`` with two values in a byte and ``…_scales``
beside them.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import GATE_UP_IN_TURN
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, OUTSIDE_NAMES, PRE_NORMS
from modeldiff.architectures.families.known.mixtral import EXPERTS

GPT_OSS = Family(
    name="gpt_oss",
    model_types={"gpt_oss": "gpt-oss"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "self_attn.sinks": "self_attn.sinks",
        "mlp.router": "mlp.router",
        **EXPERTS,
    },
    outside=OUTSIDE_NAMES,
    transposed=frozenset({"mlp.experts.gate_up_proj", "mlp.experts.down_proj"}),
    fused={"mlp.experts.gate_up_proj": GATE_UP_IN_TURN},
    defaults={"hidden_act": "silu"},
)
