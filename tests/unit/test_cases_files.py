"""Folders and files that people reported, rebuilt small, and what a diff of them says.

Wrapped names: nanoGPT#325. Vision-language models of two versions: vllm#18976. Mistral's two sets:
vllm#40765. Depth pruning: mergekit#198. Quantised weights: compressed-tensors#832. Names of other
toolkits: LLMs-from-scratch#580. One model in two families: LLaMA-Factory#10345.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from modeldiff.architectures import Fact, understand
from modeldiff.checkpoints import open_checkpoint
from tests.support.reported_cases import (
    CONFIG,
    HIDDEN,
    LAYERS,
    MLP,
    VOCABULARY,
    Rename,
    Tensors,
    llama,
    of_layers,
    reading,
    renamed,
    text,
    tuned,
    write,
)

IDENTICAL = "The weights that were read are identical: all "


WRAPPED: Mapping[str, Rename] = {
    "compiled, in DDP": renamed(("^", "module._orig_mod.")),
    "three wrappers of a layer": renamed(
        (
            r"layers\.(\d+)\.",
            r"layers.\1._checkpoint_wrapped_module._fsdp_wrapped_module._orig_mod.",
        )
    ),
    "a thinker": renamed(("^", "thinker.")),
    "a model in a model": renamed(("^", "model.")),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_copy_is_identical_and_a_wrapped_tune_is_a_tune(
    name: str, tmp_path: Path
) -> None:
    base, rename = llama(), WRAPPED[name]
    folder = write(tmp_path / "base", base)
    copy = write(tmp_path / "copy", {rename(n): t for n, t in base.items()})
    assert reading(folder, copy).headline.startswith(IDENTICAL)
    moved = tuned(base)
    plain = reading(folder, write(tmp_path / "plain", moved))
    wrapped = write(tmp_path / "wrapped", {rename(n): t for n, t in moved.items()}, None)
    assert text(reading(folder, wrapped)) == text(plain)


EYES = {
    f"visual.blocks.{n}.attn.{part}.weight": torch.full((8, 8), 0.1 + n)
    for n in range(2)
    for part in ("qkv", "proj")
}


def test_three_layouts_of_a_vision_language_model_are_one(tmp_path: Path) -> None:
    config = {"model_type": "qwen2_5_vl", "text_config": CONFIG, "vision_config": {"depth": 2}}
    old = {**llama(), **EYES}
    new = renamed((r"^model\.", "model.language_model."), (r"^visual", "model.visual"))
    mlx = renamed(
        (r"^model\.", "language_model.model."),
        (r"^visual", "vision_tower"),
        ("^lm_head", "language_model.lm_head"),
    )
    folder = write(tmp_path / "old", old, config)
    for name, rename in (("new", new), ("mlx", mlx)):
        other = write(tmp_path / name, {rename(n): t for n, t in old.items()}, config)
        assert reading(folder, other).headline.startswith(IDENTICAL)


def test_a_text_model_is_the_same_within_one_that_sees(tmp_path: Path) -> None:
    base = llama()
    wrap = renamed((r"^model\.", "model.language_model."))
    eyes = {f"model.vision_tower.{name}": tensor for name, tensor in EYES.items()}
    target = {**{wrap(name): tensor for name, tensor in base.items()}, **eyes}
    narrative = reading(
        write(tmp_path / "base", base),
        write(tmp_path / "target", target, {"model_type": "llava", "text_config": CONFIG}),
    )
    assert narrative.headline.startswith("What was compared is exactly equal: 39 tensors")
    assert "identical" not in text(narrative)
    assert narrative.likeness[0].startswith("What both have is the same (100 % of base's")


NATIVE = renamed(
    (r"^model\.", ""),
    (r"self_attn\.(.)_proj", r"attention.w\1"),
    (r"mlp\.gate_proj", "feed_forward.w1"),
    (r"mlp\.down_proj", "feed_forward.w2"),
    (r"mlp\.up_proj", "feed_forward.w3"),
    ("input_layernorm", "attention_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("embed_tokens", "tok_embeddings"),
    ("lm_head", "output"),
)


def test_of_mistrals_two_sets_one_is_taken_and_both_are_the_same(tmp_path: Path) -> None:
    """Its own file has the rows of queries and keys in the other order of RoPE."""

    def in_pairs(name: str, matrix: torch.Tensor) -> torch.Tensor:
        if not name.endswith(("q_proj.weight", "k_proj.weight")):
            return matrix
        heads = matrix.shape[0] // 8
        return matrix.view(heads, 2, 4, HIDDEN).transpose(1, 2).reshape(matrix.shape)

    base = llama()
    folder = Path(write(tmp_path / "both", base, {**CONFIG, "model_type": "mistral"}))
    own = {NATIVE(name): in_pairs(name, t).contiguous() for name, t in base.items()}
    save_file(own, folder / "consolidated.safetensors")
    params = {"dim": HIDDEN, "n_layers": LAYERS, "head_dim": 8, "hidden_dim": MLP}
    params |= {"n_heads": 8, "n_kv_heads": 2, "vocab_size": VOCABULARY}
    (folder / "params.json").write_text(json.dumps(params))
    (warning,) = open_checkpoint(str(folder)).warnings
    assert "left aside: 'consolidated.safetensors'" in warning
    alone = reading(str(folder), str(folder / "consolidated.safetensors"))
    assert alone.headline.startswith(IDENTICAL)


def test_layers_in_another_order_are_not_called_unrelated_weights(tmp_path: Path) -> None:
    base = llama()
    backwards = {
        re.sub(r"layers\.(\d)", lambda m: f"layers.{LAYERS - 1 - int(m[1])}", name): tensor
        for name, tensor in base.items()
    }
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", backwards))
    assert "layers, heads or neurons were permuted" in narrative.likeness[0]
    assert "lm_head and embed_tokens did not move" in narrative.likeness[0]
    assert "unrelated" not in text(narrative)


def test_doubled_layers_are_counted_on_both_sides(tmp_path: Path) -> None:
    base = llama()
    doubled = {n: t for n, t in base.items() if ".layers." not in n}
    for at, source in enumerate((0, 1, 2, 1, 2, 3)):
        own = {n: t for n, t in base.items() if f".layers.{source}." in n}
        doubled |= {n.replace(f".{source}.", f".{at}.", 1): t for n, t in own.items()}
    narrative = reading(
        write(tmp_path / "base", base),
        write(tmp_path / "target", doubled, {**CONFIG, "num_hidden_layers": 6}),
    )
    assert narrative.headline == "Layers 1–2 occur twice; all 6 are exactly equal."
    assert "All of base's 39 tensors and all of target's 57 were compared" in text(narrative)


def gptq(name: str, matrix: torch.Tensor) -> Tensors:
    stem, (out, inner) = name.removesuffix("weight"), matrix.shape
    codes = torch.arange(inner // 8 * out, dtype=torch.int32).view(inner // 8, out)
    return {f"{stem}qweight": codes, f"{stem}scales": torch.ones(5, out).half()}


def bnb4(name: str, matrix: torch.Tensor) -> Tensors:
    codes = torch.zeros(matrix.numel() // 2, 1, dtype=torch.uint8)
    return {
        name: codes,
        f"{name}.absmax": torch.ones(matrix.numel() // 64),
        f"{name}.quant_map": torch.ones(16),
    }


def fp8(name: str, matrix: torch.Tensor) -> Tensors:
    scale = matrix.float().abs().max() / 448
    codes = (matrix.float() / scale).to(torch.float8_e4m3fn)
    return {name: codes}


# Of none can values be told: groups that do not divide, no quant_state, no scale.
PACKED: Mapping[str, tuple[Callable[[str, torch.Tensor], Tensors], dict[str, Any]]] = {
    "GPTQ": (gptq, {"quant_method": "gptq", "bits": 4}),
    "bitsandbytes": (bnb4, {"quant_method": "bitsandbytes", "load_in_4bit": True}),
    "FP8": (fp8, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
}


@pytest.mark.parametrize("name", PACKED)
def test_codes_count_as_the_weights_that_they_stand_for(name: str, tmp_path: Path) -> None:
    pack, entries = PACKED[name]
    base = llama()
    coded: Tensors = {}
    for stored, tensor in base.items():
        coded |= pack(stored, tensor) if of_layers(stored) else {stored: tensor}
    config = {**CONFIG, "quantization_config": entries}
    plain = write(tmp_path / "plain", base)
    packed = write(tmp_path / "packed", coded, config)
    elements = sum(tensor.numel() for tensor in base.values())
    compared = sum(tensor.numel() for n, tensor in base.items() if not of_layers(n))
    share = f"Only {100 * compared / elements:.1f} % of either side's elements could be compared"
    for sides in ((plain, packed), (packed, plain), (packed, packed)):
        narrative = reading(*sides)
        assert narrative.headline == f"{share}: 28 tensors are quantised (not measured)."
        assert narrative.likeness == ("No kind of change is named: too little could be compared.",)


def through(kind: torch.dtype, scale: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """Rounded to this type, and stored in the type that it had where ``scale`` is true."""

    def rounded(matrix: torch.Tensor) -> torch.Tensor:
        if not scale:
            return matrix.to(kind)
        factor = matrix.float().abs().max() / torch.finfo(kind).max
        return ((matrix.float() / factor).to(kind).float() * factor).to(matrix.dtype)

    return rounded


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_cast_to_fp8_is_rounding_wherever_values_lie(
    kind: torch.dtype, scale: bool, tmp_path: Path
) -> None:
    """Values below a type's smallest normal one move by more than its relative step."""
    base, cast = llama(), through(kind, scale)
    target = {n: cast(t) if of_layers(n) else t for n, t in base.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert re.match("Like rounding to a coarser grid|No more than rounding", narrative.likeness[0])
    assert "small dense update that rounds away" not in text(narrative)


def test_factors_of_columns_are_no_rounding(tmp_path: Path) -> None:
    """Norms folded into the matrices that follow them move no element beyond its own size."""
    base, folded = llama(), llama()
    for layer in range(LAYERS):
        for norm, parts in (("input", ("q", "k", "v")), ("post_attention", ("gate", "up"))):
            name = f"model.layers.{layer}.{norm}_layernorm.weight"
            room = "self_attn" if norm == "input" else "mlp"
            for part in parts:
                matrix = f"model.layers.{layer}.{room}.{part}_proj.weight"
                folded[matrix] = (base[matrix].float() * base[name].float()).bfloat16()
            folded[name] = torch.ones_like(base[name])
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", folded))
    assert "rounding" not in text(narrative)


def test_what_overlaps_with_rounding_has_no_level(tmp_path: Path) -> None:
    base = llama()
    folder = write(tmp_path / "base", base)
    target = {n: t.to(torch.float8_e4m3fn) if of_layers(n) else t for n, t in tuned(base).items()}
    little = reading(folder, write(tmp_path / "little", target))
    assert "Rounding to F8_E4M3 alone moves a matrix by about 2.62 %" in little.likeness[0]
    heavy = {n: t.to(torch.float8_e4m3fn) for n, t in tuned(base, 0.2).items()}
    assert reading(folder, write(tmp_path / "heavy", heavy)).likeness[0].startswith("Like heavy")


def test_bf16_that_f16_has_no_steps_for_is_rounded_and_no_more(tmp_path: Path) -> None:
    base = {n: t * 1e-3 if of_layers(n) else t for n, t in llama().items()}
    target = {name: tensor.half() for name, tensor in base.items()}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "No more than rounding" in narrative.likeness[0] and "F16" in narrative.likeness[0]
    assert "frozen" not in text(narrative)


def test_embeddings_of_another_vocabulary_are_not_called_tuned(tmp_path: Path) -> None:
    base = llama()
    target = dict(base)
    for seed, name in enumerate(("model.embed_tokens.weight", "lm_head.weight")):
        random = torch.Generator().manual_seed(9 + seed)
        target[name] = torch.randn(VOCABULARY + 40, HIDDEN, generator=random).mul(0.09).bfloat16()
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", target))
    assert "belong to another vocabulary" in narrative.likeness[0]
    assert "tuned" not in text(narrative)


def test_names_with_nothing_in_common_are_said_to_have_nothing(tmp_path: Path) -> None:
    base = llama()
    bare = {f"param_{at}": tensor for at, tensor in enumerate(base.values())}
    narrative = reading(write(tmp_path / "base", base), write(tmp_path / "target", bare, None))
    assert narrative.headline == (
        "No tensor could be compared: the names of base's 39 tensors and of target's 39 have "
        "nothing in common."
    )
    assert narrative.likeness == ()


def test_numbers_of_a_sequential_are_no_layers(tmp_path: Path) -> None:
    base = llama()
    parts = {"gate_proj": "0", "up_proj": "2", "down_proj": "4"}
    rename = renamed(
        (r"^model\.layers", "transformer.blocks"),
        *((f"mlp.{part}", f"mlp.{number}") for part, number in parts.items()),
    )
    own = {rename(name): tensor for name, tensor in base.items()}
    folder = write(tmp_path / "target", own, None)
    facts = {fact.key: fact.value for fact in _facts(folder)}
    assert facts["layers"] == LAYERS
    narrative = reading(write(tmp_path / "base", base), folder)
    assert narrative.headline.startswith("Only ") and "identical" not in text(narrative)


def _facts(folder: str) -> tuple[Fact, ...]:
    return understand(open_checkpoint(folder)).facts


START = {"original_max_position_embeddings": 8192}
MISLEADING: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a window that is off": (
        {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False}
        | {"max_window_layers": 2},
        {"sliding_window": None, "context": 32768},
    ),
    "YaRN": ({"rope_scaling": {"type": "yarn", "factor": 4.0, **START}}, {"context": 32768}),
    "linear": ({"rope_scaling": {"type": "linear", "factor": 8.0}}, {"context": 262144}),
    "linear, with its start": (
        {"rope_scaling": {"type": "linear", "factor": 8, **START}},
        {"context": 65536},
    ),
    "dynamic": ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, {"context": 65536}),
    "a factor that is no number": (
        {"rope_scaling": {"type": "linear", "factor": "8"}},
        {"context": 32768},
    ),
    "an unknown kind": ({"rope_scaling": {"type": "ntk", "factor": 4.0}}, {"context": 32768}),
    "Gemma's layers with rotations of their own": (
        {"rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_local_base_freq": 1e4},
        {"context": 32768},
    ),
    "no KV heads": (
        {"num_key_value_heads": None},
        {"kv_heads": 2, "kv_cache_bytes_per_token": 256},
    ),
    "other KV heads": ({"num_key_value_heads": 8}, {"kv_heads": 2}),
    "more layers": ({"num_hidden_layers": 12}, {"layers": LAYERS}),
    "a small vocabulary": ({"vocab_size": 500}, {"vocabulary": VOCABULARY}),
    "an unknown type": (
        {"model_type": "shiny_new", "architectures": ["ShinyForCausalLM"]},
        {"layers": LAYERS, "kv_heads": 2, "kv_cache_bytes_per_token": 256},
    ),
}


@pytest.mark.parametrize("name", MISLEADING)
def test_facts_hold_whatever_a_config_suggests(name: str, tmp_path: Path) -> None:
    entries, expected = MISLEADING[name]
    config = {**CONFIG, "max_position_embeddings": 32768, **entries}
    facts = {fact.key: fact.value for fact in _facts(write(tmp_path / "model", llama(), config))}
    assert {key: facts.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("architecture", "kept"),
    [("ShinyForMaskedLM", None), ("ShinyModel", None), ("ShinyForCausalLM", LAYERS * 128 * 2)],
)
def test_only_what_writes_keeps_keys(architecture: str, kept: int | None, tmp_path: Path) -> None:
    tensors: Tensors = {"model.embeddings.tok_embeddings.weight": torch.ones(VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        tensors[f"model.layers.{layer}.attn.Wqkv.weight"] = torch.ones(4 * HIDDEN, HIDDEN)
        tensors[f"model.layers.{layer}.attn.Wo.weight"] = torch.ones(HIDDEN, 2 * HIDDEN)
        tensors[f"model.layers.{layer}.crossattention.Wk.weight"] = torch.ones(HIDDEN, HIDDEN)
    config = {"model_type": "shiny_new", "architectures": [architecture]}
    facts = {fact.key: fact.value for fact in _facts(write(tmp_path / "model", tensors, config))}
    # Of 256 rows 128 are queries, as many as the output reads.
    assert facts.get("kv_cache_bytes_per_token") == kept


def test_a_stretched_context_says_from_what(tmp_path: Path) -> None:
    entries = {"max_position_embeddings": 2048, "rope_scaling": {"type": "linear", "factor": 8.0}}
    facts = _facts(write(tmp_path / "model", llama(), {**CONFIG, **entries}))
    (context,) = (fact for fact in facts if fact.key == "context")
    assert context.text == "16,384 tokens (config's max_position_embeddings is 2,048)"
    assert context.source == "config: rope_scaling: factor 8 × 2,048"
