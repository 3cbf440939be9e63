"""Llama's names: Llama 1 to 3.3, Mistral, Qwen2, Qwen2.5, Qwen3 and the many that took them over.

Absent: fused matrices, learned positions, norms after a sublayer, norm biases. Only some have
biases of q, k and v (Qwen2), q and k norms per head (Qwen3), a head of their own (not where tied).
The multimodal files of these families carry the same names under a longer prefix. StableLM and
StarCoder2 differ in norm (LayerNorm) and MLP (StarCoder2 has no gate).
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family

ATTENTION_NAMES = {
    f"self_attn.{part}": f"self_attn.{part}"
    for part in ("q_proj", "k_proj", "v_proj", "q_norm", "k_norm", "o_proj")
}
MLP_NAMES = {f"mlp.{part}": f"mlp.{part}" for part in ("gate_proj", "up_proj", "down_proj")}
PRE_NORMS = {
    "input_layernorm": "input_layernorm",
    "post_attention_layernorm": "post_attention_layernorm",
}
OUTSIDE_NAMES = {name: name for name in ("embed_tokens", "norm", "lm_head")}

LLAMA = Family(
    name="llama",
    model_types={
        "llama": "Llama",
        "mistral": "Mistral",
        "ministral": "Ministral",
        "mistral3": "Mistral 3",
        "qwen2": "Qwen2",
        "qwen2_vl": "Qwen2-VL",
        "qwen2_5_vl": "Qwen2.5-VL",
        "qwen3": "Qwen3",
        "qwen3_vl": "Qwen3-VL",
        "granite": "Granite",
        "smollm3": "SmolLM3",
        "seed_oss": "Seed-OSS",
        "llava": "LLaVA",
        "nemotron": "Nemotron",
        "arcee": "Arcee",
    },
    layer={**ATTENTION_NAMES, **MLP_NAMES, **PRE_NORMS},
    outside=OUTSIDE_NAMES,
)

STABLELM = replace(
    LLAMA,
    name="stablelm",
    model_types={"stablelm": "StableLM"},
    norm="LayerNorm",
    parallel="use_parallel_residual",
)

STARCODER2 = Family(
    name="starcoder2",
    model_types={"starcoder2": "StarCoder2"},
    layer={
        **ATTENTION_NAMES,
        **PRE_NORMS,
        "mlp.c_fc": "mlp.up_proj",
        "mlp.c_proj": "mlp.down_proj",
    },
    outside=OUTSIDE_NAMES,
    defaults={"tie_word_embeddings": True, "hidden_act": "gelu_pytorch_tanh"},
    norm="LayerNorm",
)
