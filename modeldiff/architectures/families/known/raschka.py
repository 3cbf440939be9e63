"""The names of the models that the book "Build a Large Language Model (From Scratch)" builds.

Its Llama and Qwen3 call gate, up and down ``fc1``, ``fc2`` and ``fc3``; its GPT-2 has learned
positions, norms of ``scale`` and ``shift``, and an MLP that counts its steps. Rows of queries and
keys stand in halves. Absent: fused matrices, a config.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family

_NORMS = {"norm1": "input_layernorm", "norm2": "post_attention_layernorm", "final_norm": "norm"}


def _norm(stored: str) -> dict[str, str]:
    ours = _NORMS[stored]
    return {stored: ours, f"{stored}.scale": ours, f"{stored}.shift": f"{ours}:bias"}


_ATTENTION = {
    "att.W_query": "self_attn.q_proj",
    "att.W_key": "self_attn.k_proj",
    "att.W_value": "self_attn.v_proj",
    "att.q_norm.scale": "self_attn.q_norm",
    "att.k_norm.scale": "self_attn.k_norm",
    "att.out_proj": "self_attn.o_proj",
}

RASCHKA = Family(
    name="raschka",
    model_types={"": "From scratch"},
    lists=("trf_blocks",),
    layer={
        **_norm("norm1"),
        **_ATTENTION,
        **_norm("norm2"),
        "ff.fc1": "mlp.gate_proj",
        "ff.fc2": "mlp.up_proj",
        "ff.fc3": "mlp.down_proj",
    },
    outside={"tok_emb": "embed_tokens", **_norm("final_norm"), "out_head": "lm_head"},
)

RASCHKA_GPT = replace(
    RASCHKA,
    name="raschka_gpt",
    model_types={"": "GPT from scratch"},
    layer={
        **_norm("norm1"),
        **_ATTENTION,
        **_norm("norm2"),
        "ff.layers.0": "mlp.up_proj",
        "ff.layers.2": "mlp.down_proj",
    },
    outside={**RASCHKA.outside, "pos_emb": "embed_positions"},
    norm="LayerNorm",
    position="learned",
)
