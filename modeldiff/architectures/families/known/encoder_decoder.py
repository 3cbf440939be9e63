"""Models of two towers, an encoder and a decoder that also attends to it: T5, Whisper, BART.

The traps: T5 counts the parts of a layer, so ``layer.1`` is the MLP in the encoder and the
cross-attention in the decoder. BART has Whisper's names, but its norms stand after the addition to
the stream and there is no last one. T5 has no absolute positions but a learned bias by distance in
its first layers; Whisper's encoder begins with two convolutions over sound. Absent in all: RoPE,
fused matrices; a gate in the MLP but in later T5s; a bias of the key in Whisper, any bias in T5.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family

_T5_ATTENTION = {
    f"layer.0.SelfAttention.{part}": f"self_attn.{part}_proj" for part in ("q", "k", "v", "o")
}
_T5_CROSS = {
    f"layer.1.EncDecAttention.{part}": f"cross_attn.{part}_proj" for part in ("q", "k", "v", "o")
}
_T5_MLP = {"wi": "up_proj", "wi_0": "gate_proj", "wi_1": "up_proj", "wo": "down_proj"}

T5 = Family(
    name="t5",
    model_types={"t5": "T5", "mt5": "mT5", "umt5": "UMT5"},
    towers={"encoder.": "encoder", "decoder.": "decoder"},
    lists=("block",),
    layer={
        **_T5_ATTENTION,
        **_T5_CROSS,
        "layer.0.SelfAttention.relative_attention_bias": "self_attn.position_bias",
        "layer.0.layer_norm": "input_layernorm",
        "encoder:layer.1.layer_norm": "post_attention_layernorm",
        "decoder:layer.1.layer_norm": "cross_attn_layernorm",
        "layer.2.layer_norm": "post_attention_layernorm",
        **{
            f"layer.{number}.DenseReluDense.{stored}": f"mlp.{part}"
            for number in (1, 2)
            for stored, part in _T5_MLP.items()
        },
    },
    outside={
        "shared": "embed_tokens",
        "embed_tokens": "embed_tokens",
        "final_layer_norm": "norm",
        "lm_head": "lm_head",
    },
    defaults={"tie_word_embeddings": True, "dense_act_fn": "relu"},
    position="relative",
)

WHISPER = Family(
    name="whisper",
    model_types={"whisper": "Whisper"},
    towers={"encoder.": "encoder", "decoder.": "decoder"},
    layer={
        **{
            f"{stored}.{ours}_proj": f"{place}.{ours}_proj"
            for stored, place in (("self_attn", "self_attn"), ("encoder_attn", "cross_attn"))
            for ours in ("q", "k", "v")
        },
        "self_attn.out_proj": "self_attn.o_proj",
        "encoder_attn.out_proj": "cross_attn.o_proj",
        "self_attn_layer_norm": "input_layernorm",
        "encoder_attn_layer_norm": "cross_attn_layernorm",
        "final_layer_norm": "post_attention_layernorm",
        "fc1": "mlp.up_proj",
        "fc2": "mlp.down_proj",
    },
    outside={
        "shared": "embed_tokens",
        "embed_tokens": "embed_tokens",
        "embed_positions": "embed_positions",
        "layernorm_embedding": "embed_layernorm",
        "layer_norm": "norm",
        "proj_out": "lm_head",
        "lm_head": "lm_head",
    },
    defaults={"tie_word_embeddings": True, "activation_function": "gelu"},
    norm="LayerNorm",
    position="learned",
)

BART = replace(
    WHISPER,
    name="bart",
    model_types={"bart": "BART"},
    layer={
        **WHISPER.layer,
        "self_attn_layer_norm": "post_self_attn_layernorm",
        "encoder_attn_layer_norm": "post_cross_attn_layernorm",
        "final_layer_norm": "post_mlp_layernorm",
    },
    norm_after_addition=True,
)
