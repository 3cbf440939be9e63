"""Gemma's names: 1 as in Llama, 2 and 3 with a norm before and one after each sublayer.

The trap: ``post_attention_layernorm`` norms the MLP's input in Gemma 1, but the attention's output
in Gemma 2 and 3. Absent: biases, a stored head (it is the embedding), q and k norms before
Gemma 3. Norms store w for a scale of 1 + w, and the embedding is scaled by √width.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import (
    ATTENTION_NAMES,
    MLP_NAMES,
    OUTSIDE_NAMES,
    PRE_NORMS,
)

GEMMA = Family(
    name="gemma",
    model_types={"gemma": "Gemma"},
    layer={**ATTENTION_NAMES, **MLP_NAMES, **PRE_NORMS},
    outside=OUTSIDE_NAMES,
    defaults={"tie_word_embeddings": True, "hidden_activation": "gelu_pytorch_tanh"},
    norm_weight_plus_one=True,
    embedding_scale="× √width",
)

GEMMA2 = Family(
    name="gemma2",
    model_types={"gemma2": "Gemma 2"},
    layer={
        **ATTENTION_NAMES,
        **MLP_NAMES,
        "input_layernorm": "input_layernorm",
        "post_attention_layernorm": "post_self_attn_layernorm",
        "pre_feedforward_layernorm": "post_attention_layernorm",
        "post_feedforward_layernorm": "post_mlp_layernorm",
    },
    outside=OUTSIDE_NAMES,
    defaults={
        "tie_word_embeddings": True,
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": 1e-6,
        "sliding_window_pattern": 2,
    },
    norm_weight_plus_one=True,
    embedding_scale="× √width",
)

GEMMA3 = replace(
    GEMMA2,
    name="gemma3",
    model_types={"gemma3": "Gemma 3", "gemma3_text": "Gemma 3"},
    # The multimodal configs leave out what transformers' text config has by default.
    defaults={
        **GEMMA2.defaults,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "rope_theta": 1_000_000.0,
        "rope_local_base_freq": 10_000.0,
        "sliding_window_pattern": 6,
    },
)
