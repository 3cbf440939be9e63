"""Models that look: ViT, CLIP and SigLIP, and the vision towers beside language models.

A picture is cut into patches, each of which becomes a vector (``embed_patches``); a learned vector
that stands for the whole picture may go before them (``embed_class``). CLIP and SigLIP have two
towers, ``text`` and ``vision``, kept apart. Absent: a vocabulary and a head over it (the text tower
has a vocabulary), a gate in the MLP (but in Pixtral), RoPE (but in Pixtral and Qwen-VL). Qwen-VL
fuses q, k and v, which are taken apart. SigLIP has no class vector; the last step of its vision
tower, an attention of its own, keeps its stored names.

``BESIDE`` are the vision towers of multimodal models: LLaVA and Gemma 3 (CLIP's names), Mistral 3
(Pixtral's), Qwen2-VL to Qwen3-VL, Llama 3.2 Vision and Llama 4.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV
from modeldiff.architectures.families.known.llama import ATTENTION_NAMES, PRE_NORMS
from modeldiff.architectures.families.known.meta import NATIVE_LAYER

_QKV = {f"self_attn.{part}": f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj")}
_FC = {"mlp.fc1": "mlp.up_proj", "mlp.fc2": "mlp.down_proj"}

VIT = Family(
    name="vit",
    model_types={"vit": "ViT", "deit": "DeiT"},
    prefixes=("vit.", "deit."),
    lists=("encoder.layer",),
    layer={
        "layernorm_before": "input_layernorm",
        "attention.attention.query": "self_attn.q_proj",
        "attention.attention.key": "self_attn.k_proj",
        "attention.attention.value": "self_attn.v_proj",
        "attention.output.dense": "self_attn.o_proj",
        "layernorm_after": "post_attention_layernorm",
        "intermediate.dense": "mlp.up_proj",
        "output.dense": "mlp.down_proj",
    },
    outside={
        "embeddings.cls_token": "embed_class",
        "embeddings.position_embeddings": "embed_positions",
        "embeddings.patch_embeddings.projection": "embed_patches",
        "layernorm": "norm",
        "pooler.dense": "pooler",
        "classifier": "classifier",
    },
    defaults={"hidden_act": "gelu"},
    norm="LayerNorm",
    position="learned",
    writes=False,
    own=frozenset({"pooler", "classifier"}),
)

CLIP = Family(
    name="clip",
    model_types={
        **dict.fromkeys(("clip", "clip_text_model", "clip_vision_model"), "CLIP"),
        **dict.fromkeys(("siglip", "siglip_text_model", "siglip_vision_model"), "SigLIP"),
    },
    towers={"text_model.": "text", "vision_model.": "vision"},
    lists=("encoder.layers",),
    layer={
        **_QKV,
        **_FC,
        "layer_norm1": "input_layernorm",
        "self_attn.out_proj": "self_attn.o_proj",
        "layer_norm2": "post_attention_layernorm",
    },
    outside={
        "embeddings.token_embedding": "embed_tokens",
        "embeddings.patch_embedding": "embed_patches",
        "embeddings.class_embedding": "embed_class",
        "embeddings.position_embedding": "embed_positions",
        # The library's own spelling.
        "pre_layrnorm": "embed_layernorm",
        "post_layernorm": "norm",
        "final_layer_norm": "norm",
        "text_projection": "text_projection",
        "visual_projection": "visual_projection",
        "logit_scale": "logit_scale",
        "logit_bias": "logit_bias",
    },
    norm="LayerNorm",
    position="learned",
    writes=False,
    defaults={"hidden_act": "quick_gelu"},
    own=frozenset({"text_projection", "visual_projection", "logit_scale", "logit_bias"}),
)


_OPENINGS = dict.fromkeys(
    (
        "vision_tower.vision_model.",
        "vision_tower.",
        "vision_model.",
        "vision_encoder.",
        "visual.",
    ),
    "vision",
)
"""What names of a tower that looks begin with, whichever it is."""

_CLIP_TOWER = replace(CLIP, name="clip_tower", model_types={}, towers=_OPENINGS)

_PIXTRAL_TOWER = Family(
    name="pixtral_tower",
    model_types={},
    towers=_OPENINGS,
    lists=("transformer.layers",),
    layer={
        "attention_norm": "input_layernorm",
        **{
            f"attention.{part}": f"self_attn.{part}"
            for part in ("q_proj", "k_proj", "v_proj", "o_proj")
        },
        "ffn_norm": "post_attention_layernorm",
        **{f"feed_forward.{part}": f"mlp.{part}" for part in ("gate_proj", "up_proj", "down_proj")},
    },
    outside={"patch_conv": "embed_patches", "ln_pre": "embed_layernorm"},
)

_PIXTRAL_NATIVE_TOWER = replace(
    _PIXTRAL_TOWER,
    name="pixtral_native_tower",
    layer={**NATIVE_LAYER, "attention_norm": "input_layernorm"},
    rotary_rows="pairs",
)

_QWEN_MERGER = tuple(
    f"merger.{part}" for part in ("ln_q", "norm", "mlp.0", "mlp.2", "linear_fc1", "linear_fc2")
)

_QWEN_TOWER = Family(
    name="qwen_tower",
    model_types={},
    towers=_OPENINGS,
    lists=("blocks",),
    layer={
        "norm1": "input_layernorm",
        "attn.qkv": "self_attn.qkv_proj",
        "attn.proj": "self_attn.o_proj",
        "norm2": "post_attention_layernorm",
        **_FC,
        "mlp.linear_fc1": "mlp.up_proj",
        "mlp.linear_fc2": "mlp.down_proj",
        **{f"mlp.{part}": f"mlp.{part}" for part in ("gate_proj", "up_proj", "down_proj")},
    },
    outside={
        "patch_embed.proj": "embed_patches",
        "pos_embed": "embed_positions",
        **{component: component for component in _QWEN_MERGER},
    },
    fused={"self_attn.qkv_proj": QKV},
    own=frozenset(_QWEN_MERGER),
)

_LLAMA_TOWER = Family(
    name="llama_tower",
    model_types={},
    # Llama 3.2 Vision has two stacks, one after the other.
    towers={
        "vision_model.global_transformer.": "vision_global",
        **dict.fromkeys(("vision_model.transformer.", "vision_model.model."), "vision"),
        **_OPENINGS,
    },
    layer={**ATTENTION_NAMES, **PRE_NORMS, **_FC, "gate_attn": "gate_attn", "gate_ffn": "gate_ffn"},
    outside={
        "patch_embedding": "embed_patches",
        "patch_embedding.linear": "embed_patches",
        "class_embedding": "embed_class",
        "positional_embedding_vlm": "embed_positions",
        "gated_positional_embedding.embedding": "embed_positions",
        "layernorm_pre": "embed_layernorm",
        "layernorm_post": "norm",
    },
    own=frozenset({"gate_attn", "gate_ffn"}),
)

BESIDE: tuple[Family, ...] = (
    _CLIP_TOWER,
    _PIXTRAL_TOWER,
    _PIXTRAL_NATIVE_TOWER,
    _QWEN_TOWER,
    _LLAMA_TOWER,
)
"""Tried on the names that a model's own description does not know: the one that knows most of them
is taken, the first of two equals."""
