"""Mamba's names, and Jamba's, which puts attention and experts between them.

A mixer (state space) stands where others have attention. Absent in Mamba: attention, an MLP,
positions. In Jamba: positions, and in most layers attention. Bamba has Jamba's names, no experts,
and turns queries and keys (RoPE).
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.experts import expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES

MIXER_NAMES = (
    "in_proj",
    "conv1d",
    "x_proj",
    "dt_proj",
    "dt_bias",
    "A_log",
    "D",
    "norm",
    "out_proj",
    "dt_layernorm",
    "b_layernorm",
    "c_layernorm",
)

MAMBA = Family(
    name="mamba",
    model_types={"mamba": "Mamba", "mamba2": "Mamba-2", "falcon_mamba": "Falcon-Mamba"},
    prefixes=("backbone.",),
    layer={"norm": "input_layernorm", **{f"mixer.{part}": f"mixer.{part}" for part in MIXER_NAMES}},
    outside={"embeddings": "embed_tokens", "norm_f": "norm", "lm_head": "lm_head"},
    defaults={"tie_word_embeddings": True, "hidden_act": "silu"},
    position="none",
)

JAMBA = Family(
    name="jamba",
    model_types={"jamba": "Jamba"},
    layer={
        **ATTENTION_NAMES,
        **{f"mamba.{part}": f"mixer.{part}" for part in MIXER_NAMES},
        "input_layernorm": "input_layernorm",
        "pre_ff_layernorm": "post_attention_layernorm",
        **{f"feed_forward.{part}": f"mlp.{part}" for part in ("gate_proj", "up_proj", "down_proj")},
        **expert_names("feed_forward.experts"),
        "feed_forward.router": "mlp.router",
    },
    outside={"embed_tokens": "embed_tokens", "final_layernorm": "norm", "lm_head": "lm_head"},
    defaults={"hidden_act": "silu"},
    position="none",
)

BAMBA = replace(JAMBA, name="bamba", model_types={"bamba": "Bamba"}, position="RoPE")
