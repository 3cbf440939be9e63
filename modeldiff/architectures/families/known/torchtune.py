"""torchtune's names for the decoders that it tunes.

A norm's weight is its ``scale``. torchtune keeps the rows of Llama's queries and keys in pairs, as
Meta does, but those of Qwen2 and Phi-3 in halves, under the same names. Absent: fused matrices; a
config beside the weights (it lies in the recipe).
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import LLAMA

TORCHTUNE = Family(
    name="torchtune",
    model_types={"": "torchtune's names", **LLAMA.model_types},
    layer={
        "sa_norm.scale": "input_layernorm",
        **{f"attn.{part}_proj": f"self_attn.{part}_proj" for part in "qkv"},
        "attn.q_norm.scale": "self_attn.q_norm",
        "attn.k_norm.scale": "self_attn.k_norm",
        "attn.output_proj": "self_attn.o_proj",
        "sa_scale.scale": "post_self_attn_layernorm",
        "mlp_norm.scale": "post_attention_layernorm",
        "mlp.w1": "mlp.gate_proj",
        "mlp.w3": "mlp.up_proj",
        "mlp.w2": "mlp.down_proj",
        "mlp_scale.scale": "post_mlp_layernorm",
    },
    outside={"tok_embeddings": "embed_tokens", "norm.scale": "norm", "output": "lm_head"},
    rotary_rows="unsaid",
)
