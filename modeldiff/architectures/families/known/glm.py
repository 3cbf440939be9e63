"""GLM-4's names: Llama's, with gate and up fused, and in the newer ones a norm after each sublayer.

Absent: q and k norms, a fused q, k, v. These are the only published names that say norms before and
after a sublayer as this project does.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, OUTSIDE_NAMES, PRE_NORMS

GLM = Family(
    name="glm",
    model_types={"glm": "GLM-4", "glm4": "GLM-4"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "post_self_attn_layernorm": "post_self_attn_layernorm",
        "post_mlp_layernorm": "post_mlp_layernorm",
        "mlp.gate_up_proj": "mlp.gate_up_proj",
        "mlp.down_proj": "mlp.down_proj",
    },
    outside=OUTSIDE_NAMES,
    defaults={"hidden_act": "silu"},
)
