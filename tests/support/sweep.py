"""Makes ``tests/data/swept_models.json``: every model type that transformers builds tiny, and what
transformers itself says of each. Run as ``python -m tests.support.sweep``, with the library that
``requirements-dev.txt`` pins; takes a few minutes.

Of each type: the config as it would be saved, the names and shapes as they would be stored, and
what is expected of the facts: from the config object (sizes), from the model (parameters, experts)
and from the cache that a forward pass of the tiny model leaves behind (keys and values by layer).
"""

from __future__ import annotations

import json
import re
import signal
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "swept_models.json"

SHORT, LONG, WINDOW = 6, 40, 16
"""Tokens of the two texts whose caches are looked at, within a window and beyond it."""
_LAYERS, _LAYERS_BESIDE = 8, 2
_CONTEXT, _SECONDS = 64, 120

_SIZES: Mapping[str, int] = {
    r"vocab_size|src_vocab_size|tgt_vocab_size|decoder_vocab_size|n_words|unpadded_vocab_size"
    r"|vocab_size_per_layer_input": 160,
    r"num_hidden_layers|n_layers?|num_layers|layers|(en|de)coder_layers|num_(en|de)coder_layers"
    r"|num_blocks": _LAYERS,
    r"hidden_size|n_embd|d_model|emb_dim|embedding_size|embedding_dim|word_embed_proj_dim"
    r"|input_embedding_size|output_embedding_size|lru_width|backbone_hidden_size"
    r"|text_hidden_size|hidden_size_global|cross_attention_hidden_size": 64,
    r"num_attention_heads|n_heads?|num_heads|attention_heads|(en|de)coder_attention_heads"
    r"|num_(en|de)coder_attention_heads|swa_num_attention_heads": 4,
    r"num_key_value_heads|num_kv_heads|num_query_groups|num_attention_groups": 2,
    r"swa_num_key_value_heads|num_global_key_value_heads": 1,
    r"head_dim|d_kv|kv_channels|dim_head|attention_head_size|d_head|swa_head_dim": 16,
    r"global_head_dim": 32,
    r"intermediate_size|ffn_dim|n_inner|d_ff|dim_ff|dff|ffn_hidden_size|(en|de)coder_ffn_dim"
    r"|intermediate_size_mlp|shared_intermediate_size|dense_intermediate_size|d_inner"
    r"|feed_forward_size": 96,
    r"moe_intermediate_size|expert_ffn_hidden_size|moe_hidden_size": 24,
    r"(moe_)?shared_experts?_intermediate_size|share_expert_dim": 40,
    r"num_local_experts|num_experts|n_routed_experts|moe_num_experts|zero_expert_num": 8,
    r"num_experts_per_tok|num_experts_per_token|moe_topk|moe_k|moe_top_k|num_selected_experts"
    r"|top_k_experts": 2,
    r"max_position_embeddings|n_positions|max_seq_len|n_ctx|max_target_positions"
    r"|max_source_positions|model_max_length|context_length"
    r"|max_(en|de)coder_position_embeddings": _CONTEXT,
    r"sliding_window|attention_window_size|local_attention|sliding_window_size"
    r"|attention_chunk_size|keep_window_size": WINDOW,
    r"kv_lora_rank|o_lora_rank|hc_lowrank": 16,
    r"q_lora_rank": 12,
    r"qk_rope_head_dim|v_head_dim": 16,
    r"qk_nope_head_dim": 24,
    r"qk_head_dim": 40,
    r"mamba_d_state|state_size|ssm_state_size": 8,
    r"mamba_n_heads|mamba_num_heads|n_mamba_heads": 8,
    r"mamba_d_head|mamba_head_dim|mamba_headdim": 16,
    r"mamba_d_ssm": 128,
    r"mamba_dt_rank|time_step_rank": 4,
    r"linear_num_value_heads|linear_num_heads": 4,
    r"linear_num_key_heads": 2,
    r"linear_key_head_dim|linear_value_head_dim|linear_head_dim": 16,
    r"n_group|num_expert_group|n_groups|topk_group|mamba_n_groups": 1,
    r"index_head_dim": 16,
    r"index_n_heads": 4,
    r"rotary_dim": 8,
    r"attention_head_dim": 16,
    r"attention_hidden_size": 64,
    r"hidden_size_per_layer_input": 12,
    r"ngram_vocab_size_base": 64,
    r"ple_embed_dim": 32,
    r"query_pre_attn_scalar": 16,
    r"original_max_position_embeddings": 32,
}
"""What the numbers of a text model's config are made, by the whole name."""
_DEEP = (
    r"num_hidden_layers|n_layers?|num_layers|layers|encoder_layers|depth|num_blocks"
    r"|conf_num_hidden_layers"
)
_BESIDE = re.compile(
    r"vision|audio|vq_|speech|image|qformer|perceiver|encoder_config|code_predictor"
    r"|depth_decoder|tokenizer"
)
_TOKEN = re.compile(r"\w*token_id\w*|\w*token_index|\w*_id|\w*_token|mask_index|\w*_index")


_IN_THREE_PARTS: Mapping[str, Any] = {
    "text_config": {
        "rope_parameters": {
            "mrope_section": [2, 3, 3],
            "rope_type": "default",
            "rope_theta": 10_000.0,
        }
    }
}

_TINY: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen2_5_omni_thinker"), _IN_THREE_PARTS),
    **dict.fromkeys(("paddleocr_vl", "glm4v", "glm46v", "glm_ocr", "glmga"), _IN_THREE_PARTS),
    "bamba": {"attn_layer_indices": [3, 7]},
    "blenderbot": {"encoder_layers": 8},
    "granitemoehybrid": {"layer_types": ["mamba", "mamba", "mamba", "attention"] * 2},
    "hunyuan_v1_moe": {"head_dim": 16, "moe_topk": 2, "num_experts": 8},
    "deepseek_v2": {"first_k_dense_replace": 1, "num_experts_per_tok": 2},
    "glm4v_moe": {"text_config": {"rope_parameters": {"mrope_section": [1, 1, 2]}}},
    "zamba": {"attention_hidden_size": 128, "attention_head_dim": 32},
    "zamba2": {"attention_hidden_size": 128, "attention_head_dim": 32},
    "bert": {"is_decoder": True},
    "roberta": {"is_decoder": True},
    "llama4_text": {"num_experts_per_tok": 2},
    "aya_vision": {"vision_config": {"num_attention_heads": 16}},
    "chameleon": {"vocabulary_map": {"<image>": 5, "IMGIMGA": 6}},
    "deepseek_ocr2": {
        "text_config": {
            "mlp_layer_types": ["dense"] + ["sparse"] * 7,
            "num_experts_per_tok": 2,
            "n_group": 1,
            "topk_group": 1,
        }
    },
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "dots3_note": {"text_config": {"num_key_value_heads": 4}},
    "dots3_note_text": {"num_key_value_heads": 4},
    "falcon_h1": {"mamba_d_head": 16, "mamba_n_heads": 8},
    "gemma3n_text": {"num_kv_shared_layers": 2},
    "gemma4_text": {
        "num_kv_shared_layers": 2,
        "num_experts": 8,
        "enable_moe_block": True,
        "top_k_experts": 2,
        "moe_intermediate_size": 24,
    },
    "glm5_next": {"text_config": {"num_key_value_heads": 4}},
    "granite_docling": {"vision_config": {"out_hidden_size": 64, "num_hidden_layers": 12}},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_vl": {"text_config": {"head_dim": 16}},
    "inkling2": {"vision_config": {"text_hidden_size": 64}},
    "lfm2_moe": {"layer_types": ["conv", "conv", "conv", "full_attention"] * 2},
    "mamba2": {"num_heads": 8, "head_dim": 16},
    "ministral": {"head_dim": 16},
    "molmo2": {"adapter_config": {"vision_feature_layer": [1, 0]}},
    "muse_spark": {"audio_config": {"out_hidden_size": 64, "num_hidden_layers": 4}},
    "nemotron": {"head_dim": 16, "num_key_value_heads": 2},
    "qwen4_exp": {
        "text_config": {
            "indexer_n_heads": 2,
            "indexer_kv_heads": 1,
            "indexer_head_dim": 16,
            "indexer_budget": 16,
            "indexer_compress_ratio": 4,
        }
    },
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "reformer": {"is_decoder": True},
}
"""What must be named for a type to be built tiny, and what makes a tiny one more telling."""


def shrunk(config: Mapping[str, Any], keep: bool, *, beside: bool = False) -> dict[str, Any]:
    """The config with small numbers. Lists by layer are cut where ``keep`` is true, else left out,
    so that the library makes them anew; so is what is None."""
    found = (v for k, v in config.items() if re.fullmatch(_DEEP, str(k)) and isinstance(v, int))
    layers = next(found, 0)
    small: dict[str, Any] = {}
    for key, value in config.items():
        if key in ("id2label", "label2id", "per_layer_config") or value is None:
            continue
        if isinstance(value, Mapping):
            own = beside or bool(_BESIDE.search(str(key)))
            rope = key == "rope_parameters"
            small[key] = _rope(value) if rope else shrunk(value, keep, beside=own)
        elif isinstance(value, list) and layers and len(value) == layers:
            if keep:
                small[key] = value[: _LAYERS_BESIDE if beside else _LAYERS]
        elif isinstance(key, str) and isinstance(value, int) and not isinstance(value, bool):
            small[key] = _small(key, value, beside)
        else:
            small[key] = value
    if small.get("kv_lora_rank"):
        small["num_key_value_heads"] = small["num_attention_heads"]
    return small


def _rope(table: Mapping[str, Any]) -> dict[str, Any]:
    """Rotations cut in three parts turn half a head, which here is 8; what is stretched is so to
    the tiny context."""
    small: dict[str, Any] = {k: _rope(v) if isinstance(v, Mapping) else v for k, v in table.items()}
    if "mrope_section" in small:
        small["mrope_section"] = [2, 3, 3]
    factor = min(small.get("factor") or 0, 16)
    if "original_max_position_embeddings" in small and factor:
        small |= {"factor": factor, "original_max_position_embeddings": int(_CONTEXT // factor)}
    return small


def _small(key: str, value: int, beside: bool) -> int:
    if beside:
        return min(value, _LAYERS_BESIDE) if re.fullmatch(_DEEP, key) else value
    sizes = (size for pattern, size in _SIZES.items() if re.fullmatch(pattern, key))
    return min(value, next(sizes, 7 if _TOKEN.fullmatch(key) else value))


def _merged(config: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(config) if isinstance(config, Mapping) else {}
    for key, value in own.items():
        merged[key] = _merged(merged.get(key), value) if isinstance(value, Mapping) else value
    return merged


def tiny_config(model_type: str, keep: bool) -> Any:
    """The tiny config of this type, an object of its class."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    cls = CONFIG_MAPPING[model_type]
    return cls.from_dict(_merged(shrunk(cls().to_dict(), keep), _TINY.get(model_type, {})))


def model_types() -> dict[str, str]:
    """Every causal, multimodal and sequence-to-sequence model type, with its auto class."""
    from transformers.models.auto import modeling_auto

    types: dict[str, str] = {}
    for auto, names in (
        ("AutoModelForSeq2SeqLM", modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES),
        ("AutoModelForImageTextToText", modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES),
        ("AutoModelForCausalLM", modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
    ):
        types |= dict.fromkeys(names, auto)
    return dict(sorted(types.items()))


def swept(model_type: str, auto: str) -> dict[str, Any]:
    """Config, stored names and expectations of one type. Raises what the library raises."""
    import torch
    import transformers
    from transformers.core_model_loading import revert_weight_conversion

    kind = getattr(transformers, auto)
    for keep in (False, True):
        try:
            config = tiny_config(model_type, keep)
            with torch.device("meta"):
                model = kind.from_config(config, trust_remote_code=False)
            break
        except Exception:  # whatever the library makes of sizes that do not fit
            if keep:
                raise
    tied = set(model.all_tied_weights_keys)
    state = {name: t for name, t in model.state_dict().items() if name not in tied}
    stored = revert_weight_conversion(model, state)
    config.architectures = [type(model).__name__]
    return {
        "config": json.loads(config.to_json_string(use_diff=True)),
        "tensors": _by_pattern((n, tuple(t.shape)) for n, t in stored.items()),
        "integers": [n for n, t in stored.items() if not t.is_floating_point()],
        "expected": {
            "active": _active(model, config),
            "cache": _cache(kind, config),
            "parameters": model.num_parameters(),
            **_sizes(config),
        },
    }


def _sizes(config: Any) -> dict[str, Any]:
    """The config's sizes under the library's common names."""
    text = config.get_text_config(decoder=True)
    sizes = {}
    for name in (
        "num_hidden_layers",
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "vocab_size",
        "max_position_embeddings",
    ):
        try:
            sizes[name] = getattr(text, name, None)
        except Exception:  # what differs by layer has no value of its own
            sizes[name] = None
    return sizes


def _active(model: Any, config: Any) -> int | None:
    """Parameters without the experts that the router passes by; None without experts."""
    text = config.get_text_config(decoder=True)
    chosen = {
        getattr(module, name)
        for module in model.modules()
        for name in ("top_k", "num_experts_per_tok")
        if isinstance(getattr(module, name, None), int)
    } or {getattr(text, name, None) for name in ("num_experts_per_tok", "top_k_experts")} - {None}
    idle, stacks = 0, 0
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == "experts" or "Experts" in type(module).__name__:
            own = list(module.parameters(recurse=False))
            count = max((len(p) for p in own if p.dim() == 3), default=0)
            if count and len(chosen) == 1:
                stacks += 1
                idle += sum(p.numel() * (count - max(chosen)) // count for p in own)
    return model.num_parameters() - idle if stacks else None


def _cache(kind: Any, config: Any) -> Any:
    """Each layer's keys and values: numbers a token, and tokens kept of a long text. A sentence
    where nothing is kept, or where no forward pass of the text alone runs."""
    import torch

    try:
        torch.manual_seed(0)
        model = kind.from_config(config, trust_remote_code=False).eval()
        layers = []
        for tokens in (SHORT, LONG):
            ids = torch.full((1, tokens), 9)
            with torch.no_grad():
                extra = {"decoder_input_ids": ids} if config.is_encoder_decoder else {}
                out = model(input_ids=ids, use_cache=True, **extra)
            cache = getattr(out, "past_key_values", None)
            if cache is None:
                return f"none: {type(out).__name__}"
            cache = getattr(cache, "self_attention_cache", cache)
            layers.append([_kept(layer) for layer in cache.layers])
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    found = [
        [short // SHORT, LONG if long == LONG * (short // SHORT) else long // (short // SHORT)]
        for short, long in zip(*layers, strict=True)
        if short
    ]
    return found or "none: kept under other names"


def _kept(layer: Any) -> int:
    """How many numbers of keys and values a layer's cache holds."""
    found = (getattr(layer, name, None) for name in ("keys", "values"))
    return sum(tensor.numel() for tensor in found if tensor is not None)


def _by_pattern(named: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    """Names with ``#`` for their numbers → shape → the numbers, which is a tenth of the text."""
    patterns: dict[str, dict[str, list[str]]] = {}
    for name, shape in named:
        numbers = ",".join(re.findall(r"(?<=\.)[0-9]+(?=\.|$)", name))
        pattern = re.sub(r"(?<=\.)[0-9]+(?=\.|$)", "#", name)
        patterns.setdefault(pattern, {}).setdefault("x".join(map(str, shape)), []).append(numbers)
    return {
        name: {shape: " ".join(numbers) for shape, numbers in shapes.items()}
        for name, shapes in patterns.items()
    }


def main() -> None:
    """Make the data file, or anew the entries of the types that the command line names."""
    import transformers

    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_long)
    only = sys.argv[1:]
    known = json.loads(DATA.read_text(encoding="utf-8")) if only else {}
    models, left_out = known.get("models", {}), known.get("left_out", {})
    for model_type, auto in model_types().items():
        if only and model_type not in only:
            continue
        models.pop(model_type, None)
        left_out.pop(model_type, None)
        signal.alarm(_SECONDS)
        try:
            models[model_type] = swept(model_type, auto)
        except Exception as error:
            left_out[model_type] = f"{type(error).__name__}: {str(error).strip()[:160]}"
        signal.alarm(0)
    lines = (
        f" {json.dumps(name)}: {json.dumps(model, separators=(',', ':'))}"
        for name, model in sorted(models.items())
    )
    DATA.write_text(
        f'{{"transformers": "{transformers.__version__}",\n'
        f'"left_out": {json.dumps(dict(sorted(left_out.items())), indent=1)},\n'
        f'"models": {{\n' + ",\n".join(lines) + "\n}}\n",
        encoding="utf-8",
    )


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {_SECONDS} seconds")


if __name__ == "__main__":
    main()
