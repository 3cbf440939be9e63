"""Tiny models of every family, saved by transformers itself: its names, its shapes, its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Options = Mapping[str, Any]


@dataclass(frozen=True)
class TinyModel:
    """Classes of transformers by name, and what their config is given."""

    model: str
    config: str
    options: Options


def _decoder(stem: str, options: Options) -> TinyModel:
    return TinyModel(f"{stem}ForCausalLM", f"{stem}Config", options)


_PLAIN: Options = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_GQA: Options = {**_PLAIN, "num_key_value_heads": 2}
_MOE: Options = {**_GQA, "num_experts_per_tok": 2}
_GPT2: Options = {
    "vocab_size": 64,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_FALCON: Options = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_OPT: Options = {
    "vocab_size": 64,
    "hidden_size": 32,
    "ffn_dim": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "word_embed_proj_dim": 32,
}
_MLA: Options = {
    **_PLAIN,
    "num_key_value_heads": 4,
    "num_experts_per_tok": 2,
    "n_routed_experts": 4,
    "moe_intermediate_size": 16,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}
_STATE_SPACE: Options = {
    "mamba_d_state": 4,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}
_TOWERS: Options = {
    "vocab_size": 64,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
_T5: Options = {
    "vocab_size": 64,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
}
_EYES: Options = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
_LLAMA4: Options = {
    **_MOE,
    "intermediate_size_mlp": 48,
    "num_local_experts": 4,
    "head_dim": 8,
    "interleave_moe_layer_step": 2,
}

TINY: Mapping[str, TinyModel] = {
    "llama": _decoder("Llama", _GQA),
    "llama tied": _decoder("Llama", {**_GQA, "tie_word_embeddings": True}),
    "mistral": _decoder("Mistral", {**_GQA, "sliding_window": 16}),
    "qwen2": _decoder("Qwen2", _GQA),
    "qwen3": _decoder("Qwen3", {**_GQA, "head_dim": 16}),
    "granite": _decoder("Granite", _GQA),
    "gpt2": TinyModel("GPT2LMHeadModel", "GPT2Config", _GPT2),
    "gpt2 body": TinyModel("GPT2Model", "GPT2Config", _GPT2),
    "gpt2 head": TinyModel(
        "GPT2LMHeadModel", "GPT2Config", {**_GPT2, "tie_word_embeddings": False}
    ),
    "gpt_neox": _decoder("GPTNeoX", _PLAIN),
    "falcon rw": _decoder(
        "Falcon",
        {**_FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
    ),
    "falcon 7b": _decoder("Falcon", {**_FALCON, "multi_query": True, "parallel_attn": True}),
    "falcon 40b": _decoder(
        "Falcon", {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}
    ),
    "phi": _decoder("Phi", {**_PLAIN, "partial_rotary_factor": 0.5}),
    "phi3": _decoder("Phi3", _GQA),
    "gemma": _decoder("Gemma", {**_GQA, "head_dim": 8}),
    "gemma2": _decoder("Gemma2", {**_GQA, "head_dim": 8}),
    "gemma3 text": TinyModel("Gemma3ForCausalLM", "Gemma3TextConfig", {**_GQA, "head_dim": 8}),
    "gemma3": TinyModel(
        "Gemma3ForConditionalGeneration",
        "Gemma3Config",
        {
            "text_config": {**_GQA, "head_dim": 8},
            "vision_config": _EYES,
            "mm_tokens_per_image": 4,
        },
    ),
    "olmo": _decoder("Olmo", _GQA),
    "olmo2": _decoder("Olmo2", _GQA),
    "opt": _decoder("OPT", _OPT),
    "opt 350m": _decoder("OPT", {**_OPT, "word_embed_proj_dim": 16, "do_layer_norm_before": False}),
    "bloom": _decoder("Bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": _decoder(
        "Mpt", {"vocab_size": 64, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64}
    ),
    "mixtral": _decoder("Mixtral", {**_MOE, "num_local_experts": 4}),
    "qwen2_moe": _decoder(
        "Qwen2Moe",
        {
            **_MOE,
            "num_experts": 4,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 24,
            "mlp_only_layers": [0],
        },
    ),
    "qwen3_moe": _decoder(
        "Qwen3Moe", {**_MOE, "num_experts": 4, "moe_intermediate_size": 16, "head_dim": 8}
    ),
    "olmoe": _decoder("Olmoe", {**_MOE, "num_experts": 4}),
    "deepseek_v2": _decoder("DeepseekV2", {**_MLA, "q_lora_rank": None}),
    "deepseek_v3": _decoder(
        "DeepseekV3", {**_MLA, "q_lora_rank": 12, "n_group": 2, "topk_group": 1}
    ),
    "gpt_oss": _decoder(
        "GptOss",
        {
            **_MOE,
            "num_local_experts": 4,
            "head_dim": 8,
            "rope_parameters": {"rope_type": "default", "rope_theta": 150_000.0},
        },
    ),
    "granitemoe": _decoder("GraniteMoe", {**_MOE, "num_local_experts": 4}),
    "granitemoehybrid": _decoder(
        "GraniteMoeHybrid",
        {
            **_MOE,
            **_STATE_SPACE,
            "num_local_experts": 4,
            "shared_intermediate_size": 24,
            "mamba_n_heads": 4,
            "mamba_d_head": 16,
            "layer_types": ["mamba", "attention"],
        },
    ),
    "jamba": _decoder(
        "Jamba",
        {
            **_MOE,
            **_STATE_SPACE,
            "num_hidden_layers": 4,
            "num_experts": 4,
            "attn_layer_offset": 1,
            "attn_layer_period": 2,
            "expert_layer_offset": 1,
            "expert_layer_period": 2,
            "mamba_dt_rank": 4,
        },
    ),
    "bamba": _decoder(
        "Bamba",
        {
            **_GQA,
            **_STATE_SPACE,
            "mamba_n_heads": 4,
            "mamba_d_head": 16,
            "attn_layer_indices": [1],
        },
    ),
    "mamba": _decoder(
        "Mamba",
        {
            "vocab_size": 64,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 4,
            "time_step_rank": 4,
        },
    ),
    "mamba2": _decoder(
        "Mamba2",
        {
            "vocab_size": 64,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 4,
            "num_heads": 4,
            "head_dim": 16,
            "n_groups": 1,
        },
    ),
    "llama4": TinyModel(
        "Llama4ForConditionalGeneration",
        "Llama4Config",
        {
            "text_config": _LLAMA4,
            "vision_config": {
                **_EYES,
                "intermediate_size": 64,
                "vision_output_dim": 16,
                "projector_input_dim": 16,
                "projector_output_dim": 16,
            },
        },
    ),
    "mllama": TinyModel(
        "MllamaForConditionalGeneration",
        "MllamaConfig",
        {
            "text_config": {**_GQA, "num_hidden_layers": 4, "cross_attention_layers": [1]},
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_global_layers": 1,
                "attention_heads": 2,
                "image_size": 16,
                "patch_size": 4,
                "vision_output_dim": 32,
                "intermediate_layers_indices": [0],
                "max_num_tiles": 1,
                "supported_aspect_ratios": [[1, 1]],
            },
        },
    ),
    "llava": TinyModel(
        "LlavaForConditionalGeneration",
        "LlavaConfig",
        {
            "text_config": {**_GQA, "model_type": "llama"},
            "vision_config": {**_EYES, "model_type": "clip_vision_model", "projection_dim": 12},
        },
    ),
    "mistral3": TinyModel(
        "Mistral3ForConditionalGeneration",
        "Mistral3Config",
        {
            "text_config": {**_GQA, "model_type": "mistral"},
            "vision_config": {**_EYES, "model_type": "pixtral", "head_dim": 8},
            "image_token_index": 10,
        },
    ),
    "qwen2_vl": TinyModel(
        "Qwen2VLForConditionalGeneration",
        "Qwen2VLConfig",
        {
            "text_config": {
                **_GQA,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1e4,
                    "mrope_section": [1, 1, 2],
                },
            },
            "vision_config": {
                "depth": 2,
                "embed_dim": 16,
                "hidden_size": 32,
                "num_heads": 2,
                "patch_size": 4,
                "mlp_ratio": 2,
            },
        },
    ),
    "bert": TinyModel("BertForPreTraining", "BertConfig", _PLAIN),
    "bert body": TinyModel("BertModel", "BertConfig", _PLAIN),
    "roberta": TinyModel("RobertaForMaskedLM", "RobertaConfig", _PLAIN),
    "distilbert": TinyModel(
        "DistilBertForMaskedLM",
        "DistilBertConfig",
        {
            "vocab_size": 64,
            "dim": 32,
            "hidden_dim": 48,
            "n_layers": 2,
            "n_heads": 4,
            "max_position_embeddings": 64,
        },
    ),
    "vit": TinyModel("ViTForImageClassification", "ViTConfig", _EYES),
    "clip": TinyModel(
        "CLIPModel",
        "CLIPConfig",
        {"text_config": _PLAIN, "vision_config": _EYES, "projection_dim": 12},
    ),
    "siglip": TinyModel(
        "SiglipModel", "SiglipConfig", {"text_config": _PLAIN, "vision_config": _EYES}
    ),
    "whisper": TinyModel(
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        {**_TOWERS, "num_mel_bins": 8, "max_source_positions": 16, "max_target_positions": 16},
    ),
    "bart": TinyModel(
        "BartForConditionalGeneration", "BartConfig", {**_TOWERS, "max_position_embeddings": 32}
    ),
    "t5": TinyModel("T5ForConditionalGeneration", "T5Config", _T5),
    "t5 v1.1": TinyModel(
        "T5ForConditionalGeneration", "T5Config", {**_T5, "feed_forward_proj": "gated-gelu"}
    ),
}


def save_pair(name: str, folder: Path) -> int:
    """Save the tiny model ``name`` in ``folder / "base"``, and in ``folder / "target"`` the same
    with every value half as large again. Returns how many parameters transformers counts.
    """
    import torch
    import transformers

    tiny = TINY[name]
    config = getattr(transformers, tiny.config)(**_copied(tiny.options))
    model = getattr(transformers, tiny.model)(config)
    # Values that are used twice are there once. What is zero at first would say nothing.
    values = {t.data_ptr(): t for t in model.state_dict().values() if t.is_floating_point()}
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in values.values():
            value.normal_(generator=random)
        model.save_pretrained(folder / "base")
        for value in values.values():
            value.mul_(1.5)
        model.save_pretrained(folder / "target")
    count: int = model.num_parameters()
    return count


def _copied(value: Any) -> Any:
    """Options that a config may change without touching another's."""
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value
