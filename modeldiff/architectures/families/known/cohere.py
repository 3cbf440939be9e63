"""Families that read one norm for attention and MLP side by side: Cohere, GPT-J.

Absent: a norm before the MLP, q and k norms but in some Cohere models. GPT-J has biases in the MLP
and on the head only; Cohere has a gate in the MLP and norms without biases.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, MLP_NAMES, OUTSIDE_NAMES

COHERE = Family(
    name="cohere",
    model_types={"cohere": "Command R", "cohere2": "Command R7B"},
    layer={**ATTENTION_NAMES, **MLP_NAMES, "input_layernorm": "input_layernorm"},
    outside=OUTSIDE_NAMES,
    defaults={"tie_word_embeddings": True, "hidden_act": "silu"},
    norm="LayerNorm",
    parallel=True,
)

GPTJ = Family(
    name="gptj",
    model_types={"gptj": "GPT-J"},
    lists=("h",),
    layer={
        "ln_1": "input_layernorm",
        "attn.q_proj": "self_attn.q_proj",
        "attn.k_proj": "self_attn.k_proj",
        "attn.v_proj": "self_attn.v_proj",
        "attn.out_proj": "self_attn.o_proj",
        "mlp.fc_in": "mlp.up_proj",
        "mlp.fc_out": "mlp.down_proj",
    },
    outside={"wte": "embed_tokens", "ln_f": "norm", "lm_head": "lm_head"},
    defaults={"activation_function": "gelu_new"},
    norm="LayerNorm",
    parallel=True,
)
