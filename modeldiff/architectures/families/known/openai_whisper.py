"""OpenAI's own names for Whisper, two towers of ``blocks``.

Absent: RoPE, fused matrices, a gate in the MLP, a bias of the key, a stored head (it is the token
embedding). The MLP counts its steps: ``mlp.0`` is up, ``mlp.2`` down.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.known.encoder_decoder import WHISPER

OPENAI_WHISPER = replace(
    WHISPER,
    name="openai_whisper",
    model_types={"": "Whisper", "whisper": "Whisper"},
    lists=("blocks",),
    layer={
        "attn_ln": "input_layernorm",
        "cross_attn_ln": "cross_attn_layernorm",
        **{
            f"{stored}.{word}": f"{ours}.{part}_proj"
            for stored, ours in (("attn", "self_attn"), ("cross_attn", "cross_attn"))
            for word, part in (("query", "q"), ("key", "k"), ("value", "v"), ("out", "o"))
        },
        "mlp_ln": "post_attention_layernorm",
        "mlp.0": "mlp.up_proj",
        "mlp.2": "mlp.down_proj",
    },
    outside={
        "token_embedding": "embed_tokens",
        "positional_embedding": "embed_positions",
        "ln_post": "norm",
        "ln": "norm",
    },
)
