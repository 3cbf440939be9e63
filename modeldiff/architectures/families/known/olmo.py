"""OLMo's names: 1 without stored norms, 2 and 3 with norms after the sublayers only.

The trap: OLMo 2's ``post_attention_layernorm`` norms the attention's output, not the MLP's input.
Absent: biases, norms before a sublayer (2, 3), any norm parameters at all (1). The q and k norms
of OLMo 2 and 3 span all heads together.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, MLP_NAMES, OUTSIDE_NAMES

OLMO = Family(
    name="olmo",
    model_types={"olmo": "OLMo"},
    layer={**ATTENTION_NAMES, **MLP_NAMES},
    outside=OUTSIDE_NAMES,
    norm="LayerNorm",
    bare_norms=True,
)

OLMO2 = Family(
    name="olmo2",
    model_types={"olmo2": "OLMo 2", "olmo3": "OLMo 3"},
    layer={
        **ATTENTION_NAMES,
        **MLP_NAMES,
        "post_attention_layernorm": "post_self_attn_layernorm",
        "post_feedforward_layernorm": "post_mlp_layernorm",
    },
    outside=OUTSIDE_NAMES,
)
