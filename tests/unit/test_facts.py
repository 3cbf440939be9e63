"""Facts about an architecture and what their differences mean."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, FactPair, compare_facts, understand
from modeldiff.architectures.facts.config_entries import ENTRY, MOST_SHOWN
from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.config_only.catalog import CATALOG, catalog_config, catalog_names
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.sources.local import LocalFolder
from tests.support.named_shapes import (
    checkpoint,
    gpt2_shapes,
    invented,
    llama_shapes,
    published,
    tiny,
    tiny_names,
)


def values(source: Checkpoint) -> dict[str, Any]:
    return {fact.key: fact.value for fact in understand(source).facts}


def gpt2() -> Checkpoint:
    return checkpoint(gpt2_shapes(), catalog_config("gpt2-124m"))


def test_llama_3_8b() -> None:
    facts = values(published("llama-3-8b"))
    expected = {
        "family": "llama",
        "layers": 32,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "heads": 32,
        "kv_heads": 8,
        "head_dim": 128,
        "attention": "GQA",
        "qkv_bias": False,
        "qk_norm": "none",
        "norm": "RMSNorm",
        "norm_eps": 1e-5,
        "norm_placement": "before each sublayer",
        "position": "RoPE",
        "rope_theta": 500_000.0,
        "rope_scaling": "none",
        "activation": "SiLU",
        "mlp": "SwiGLU",
        "vocabulary": 128_256,
        "context": 8192,
        "tied_head": False,
        "stored_types": "BF16",
        "parameters": 8_030_261_248,
        "checkpoint_bytes": 16_060_522_496,
        "kv_cache_bytes_per_token": 131_072,
    }
    assert {key: facts.get(key) for key in expected} == expected
    parts = [value for key, value in facts.items() if key.startswith("parameters_")]
    assert sum(parts) == facts["parameters"]


def test_gpt2() -> None:
    facts = values(gpt2())
    expected = {
        "layers": 12,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "heads": 12,
        "kv_heads": 12,
        "head_dim": 64,
        "attention": "MHA",
        "qkv_bias": True,
        "norm": "LayerNorm",
        "position": "learned",
        "mlp": "plain GELU",
        "vocabulary": 50_257,
        "context": 1024,
        "tied_head": True,
        "parameters": 124_439_808,
        "kv_cache_bytes_per_token": 2 * 12 * 768 * 2,
    }
    assert {key: facts.get(key) for key in expected} == expected
    assert "rope_theta" not in facts


@pytest.mark.parametrize(
    "name",
    [
        "llama-2-7b",
        "llama-3.1-8b",
        "llama-3.1-405b",
        "llama-3.2-1b",
        "llama-3.2-3b",
        "llama-3.3-70b",
        "qwen2-7b",
        "qwen3-8b",
        "mistral-7b-v0.1",
    ],
)
def test_parameters_are_the_published_ones(name: str) -> None:
    told = json.loads((CATALOG / "provenance.json").read_text(encoding="utf-8"))[name]
    source = published(name, head=not told.get("tied_lm_head", False))
    facts = values(source)
    if "parameters" in told:
        assert facts["parameters"] == told["parameters"]
        assert len(source.tensors) == told["names_on_disk"]
    assert facts["tied_head"] is told.get("tied_lm_head", False)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("gemma2", {"norm_placement": "before and after each sublayer", "mlp": "GeGLU"}),
        ("olmo2", {"norm_placement": "after each sublayer", "qk_norm": "over all heads together"}),
        ("qwen3_moe", {"qk_norm": "one per head", "experts": 4, "expert_size": 16, "kv_heads": 2}),
        ("qwen2_moe", {"shared_expert": 24, "experts_per_token": 2, "qkv_bias": True}),
        ("falcon", {"attention": "MQA", "kv_heads": 1, "position": "RoPE"}),
        ("bloom", {"position": "ALiBi", "norm": "LayerNorm"}),
        ("deepseek_v3", {"attention": "MLA", "kv_cache_bytes_per_token": 2 * 12 * 2}),
        ("gpt_oss", {"experts": 4, "expert_size": 48, "qkv_bias": True}),
        ("opt", {"position": "learned", "mlp": "plain ReLU", "context": 64, "tied_head": True}),
        ("phi3", {"mlp": "SwiGLU", "intermediate_size": 48, "kv_heads": 2}),
        ("jamba", {"position": "none", "experts": 4}),
    ],
)
def test_facts_of_other_families(family: str, expected: dict[str, object]) -> None:
    facts = values(tiny(family))
    assert {key: facts.get(key) for key in expected} == expected


def test_a_state_space_has_no_attention_heads() -> None:
    assert not {"heads", "attention", "kv_cache_bytes_per_token"} & set(values(tiny("mamba2")))


def test_experts_that_no_token_needs_at_once_are_not_active() -> None:
    facts = values(tiny("mixtral"))
    routed = 2 * 4 * 3 * 32 * 48
    assert facts["parameters_experts"] == routed
    assert facts["parameters_active"] == facts["parameters"] - routed // 2


def test_rope_in_the_old_spelling_and_in_the_new() -> None:
    old = catalog_config("llama-3.1-8b")
    scaling = old["rope_scaling"]
    new = {key: value for key, value in old.items() if not key.startswith("rope_")}
    new["rope_parameters"] = {**scaling, "rope_theta": old["rope_theta"]}
    shapes = llama_shapes(old)
    before, after = values(checkpoint(shapes, old)), values(checkpoint(shapes, new))
    assert before["rope_scaling"] == after["rope_scaling"] == "llama3 ×8 from 8,192"
    assert before["rope_theta"] == after["rope_theta"] == 500_000.0


def test_sliding_layers_may_turn_at_a_rate_of_their_own() -> None:
    old = {"model_type": "gemma3_text", "rope_theta": 1e6, "rope_local_base_freq": 1e4}
    new = {
        "model_type": "gemma3_text",
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
    }
    shapes = {tensor.name: tensor.shape for tensor in tiny("gemma3_text").tensors}
    for config in (old, new):
        facts = values(checkpoint(shapes, config))
        assert (facts["rope_theta"], facts["rope_theta_sliding"]) == (1e6, 1e4)
    assert values(checkpoint(shapes, new))["rope_scaling"] == "linear ×8"


def test_sliding_windows() -> None:
    every = values(published("mistral-7b-v0.1"))
    assert (every["sliding_window"], every["sliding_layers"]) == (4096, "all")
    assert not {"sliding_window", "sliding_layers"} & set(values(published("qwen2-7b")))
    some = values(tiny("gemma2"))
    assert (some["sliding_window"], some["sliding_layers"]) == (4096, "1 of 2")


def test_rope_scaling_is_spelled_out() -> None:
    scalings: dict[str, dict[str, Any]] = {
        "linear ×8: every position divided by 8": {"rope_type": "linear", "factor": 8.0},
        "llama3 ×8 from 8,192: rotations slower than one turn in 8,192 tokens are 8 times slower, "
        "those faster than one in 2,048 stay, between them both are blended": catalog_config(
            "llama-3.1-8b"
        )["rope_scaling"],
        "yarn ×40 from 4,096: rotations of less than one turn in 4,096 tokens are 40 times slower, "
        "those of more than 32 stay, between them both are blended": catalog_config("deepseek-v3")[
            "rope_scaling"
        ],
        "longrope: each of 3 rotations has a factor of its own: 1 times slower up to 4,096 tokens, "
        "1.5 to 64 beyond": {
            "type": "longrope",
            "short_factor": [1.0, 1.0, 1.0],
            "long_factor": [1.5, 8, 64.0],
        },
        "dynamic ×2: θ grows with the text's length beyond 4,096 tokens": {
            "type": "dynamic",
            "factor": 2.0,
        },
        "sideways ×2": {"rope_type": "sideways", "factor": 2.0},
    }
    shapes = llama_shapes(catalog_config("llama-3.2-1b"))
    for words, scaling in scalings.items():
        config = {
            "model_type": "llama",
            "original_max_position_embeddings": 4096,
            "rope_scaling": scaling,
        }
        fact = understand(checkpoint(shapes, config)).fact("rope_scaling")
        assert fact is not None and fact.text == words


def test_the_cache_counts_layers_that_attend_and_sliding_ones_within_their_window() -> None:
    jamba = values(tiny("jamba"))
    assert jamba["expert_layers"] < jamba["layers"]
    attending = sum(t.name.endswith("k_proj.weight") for t in tiny("jamba").tensors)
    assert attending < jamba["layers"]
    assert jamba["kv_cache_bytes_per_token"] == attending * 2 * 16 * 2
    config = {**catalog_config("mistral-7b-v0.1"), "num_hidden_layers": 4}
    config["layer_types"] = ["sliding_attention"] * 3 + ["full_attention"]
    facts = values(checkpoint(llama_shapes(config), config))
    a_token_and_layer = 2 * 1024 * 2
    assert facts["kv_cache_bytes_per_token"] == 4 * a_token_and_layer
    assert facts["kv_cache_bytes"] == (3 * 4096 + 32_768) * a_token_and_layer
    kept = (3 * 4096 + 8192) * a_token_and_layer
    assert facts["memory_bytes"] == facts["checkpoint_bytes"] + kept


def test_memory_is_an_estimate_with_its_formula() -> None:
    fact = understand(published("llama-3-8b")).fact("memory_bytes")
    assert fact is not None and fact.value == 16_060_522_496 + 8192 * 131_072
    assert fact.text == ("about 17.1 GB: weights 16.1 GB + KV cache 1.07 GB for 8,192 tokens")
    assert fact.source.startswith("estimate: checkpoint size + KV cache of 8,192 tokens in bf16")
    every = understand(tiny("mixtral")).fact("memory_bytes")
    assert every is not None and every.text.endswith("all experts included")
    mamba = understand(tiny("mamba")).fact("memory_bytes")
    assert mamba is not None and mamba.value == sum(t.nbytes for t in tiny("mamba").tensors)


def test_latent_keys_and_values_are_not_said_to_be_one_for_each_head() -> None:
    pairs = meanings(understand(published("llama-3-8b")), understand(tiny("deepseek_v3")))
    assert pairs["kv_heads"].meaning == (
        "Keys and values of all 4 heads are computed from one compressed vector."
    )


def test_every_fact_says_where_it_comes_from() -> None:
    facts = {fact.key: fact for fact in understand(published("llama-3-8b")).facts}
    assert facts["kv_heads"].source == "config: num_key_value_heads"
    assert facts["hidden_size"].source == "tensor: model.layers.0.input_layernorm.weight"
    assert facts["context"].source == "config: max_position_embeddings"
    tied = understand(gpt2()).fact("tied_head")
    assert tied is not None and tied.source == "gpt2's default: tie_word_embeddings"
    for name in tiny_names():
        assert all(fact.source and fact.text for fact in understand(tiny(name)).facts)


def test_tensors_win_over_a_config_that_contradicts_them() -> None:
    config = catalog_config("llama-3.2-1b")
    lying = {
        **config,
        "num_hidden_layers": 40,
        "hidden_size": 99,
        "num_key_value_heads": 3,
        "head_dim": 32,
        "vocab_size": 7,
    }
    architecture = understand(checkpoint(llama_shapes(config), lying))
    facts = {fact.key: fact for fact in architecture.facts}
    assert facts["layers"].value == 16
    assert facts["layers"].text == "16 (config says 40)"
    assert (facts["hidden_size"].value, facts["vocabulary"].value) == (2048, 128_256)
    assert (facts["kv_heads"].value, facts["head_dim"].value) == (8, 64)
    assert facts["kv_cache_bytes_per_token"].value == 32_768


def test_heads_that_do_not_divide_the_query_are_reported_as_such() -> None:
    config = {**catalog_config("llama-3.2-1b"), "num_attention_heads": 7, "head_dim": None}
    fact = understand(checkpoint(llama_shapes(catalog_config("llama-3.2-1b")), config)).fact(
        "heads"
    )
    assert fact is not None and "does not divide the 2,048 rows" in fact.text


def test_tensors_alone_still_give_facts() -> None:
    facts = values(checkpoint(llama_shapes(catalog_config("llama-3-8b"))))
    assert (facts["layers"], facts["parameters"]) == (32, 8_030_261_248)
    assert facts["kv_cache_bytes_per_token"] == 131_072
    assert "heads" not in facts and "context" not in facts
    assert values(invented())["vocabulary"] == 100
    assert values(checkpoint({}, None)) == {"family": "unknown"}


def test_quantised_experts_count_values_not_bytes() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    shapes |= {f"model.layers.{n}.mlp.experts.down_proj_blocks": (4, 8, 2, 16) for n in range(2)}
    shapes |= {f"model.layers.{n}.mlp.experts.down_proj_scales": (4, 8, 2) for n in range(2)}
    facts = values(
        checkpoint(shapes, {"model_type": "gpt_oss"}, dtypes=dict.fromkeys(shapes, "U8"))
    )
    assert facts["parameters"] == 2 * 2 * 4 * 8 * 2 * 16


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["rope_type", "factor", "rope_theta", "type"]), st.floats()),
)
KEYS = sorted(
    {
        *catalog_config("llama-3.1-8b"),
        *catalog_config("gemma-2-9b"),
        *catalog_config("qwen3-30b-a3b"),
        *catalog_config("gpt2-124m"),
        *("layer_types", "rope_parameters", "text_config", "head_dim", "multi_query", "alibi"),
    }
)


@given(st.dictionaries(st.sampled_from(KEYS), HOSTILE), st.sampled_from(["llama", "gpt2", "mamba"]))
def test_no_config_can_break_the_reading(config: dict[str, Any], family: str) -> None:
    shapes = llama_shapes({**catalog_config("llama-3.2-1b"), "num_hidden_layers": 2})
    sources = [
        checkpoint(shapes, {"model_type": family, **config}),
        checkpoint(gpt2_shapes(layers=1), {"text_config": config}),
        checkpoint(
            {"model.layers.0.self_attn.q_proj.weight": (0, 0), "lm_head.weight": ()}, config
        ),
    ]
    for source in sources:
        architecture = understand(source)
        for fact in architecture.facts:
            assert not isinstance(fact.value, float) or math.isfinite(fact.value)
        compare_facts(architecture, understand(sources[0]))


def meanings(base: Architecture, target: Architecture) -> dict[str, FactPair]:
    return {pair.key: pair for pair in compare_facts(base, target)}


def test_the_step_from_llama_2_to_3_is_explained() -> None:
    pairs = meanings(understand(published("llama-2-7b")), understand(published("llama-3-8b")))
    assert pairs["kv_heads"].meaning == (
        "8 KV heads shared by 32 query heads; in all, the KV cache per token is a quarter as large."
    )
    assert pairs["vocabulary"].meaning.startswith("96,256 more tokens;")
    assert "1.05 B parameters" in pairs["vocabulary"].meaning
    assert pairs["layers"].same and pairs["layers"].meaning == ""


def test_the_step_from_llama_3_to_3_1_is_context_and_scaling_alone() -> None:
    pairs = meanings(understand(published("llama-3-8b")), understand(published("llama-3.1-8b")))
    different = {key: pair.meaning for key, pair in pairs.items() if not pair.same}
    entries = {key for key in different if key.startswith(ENTRY)}
    assert entries == {f"{ENTRY}config.json: {name}" for name in ("transformers_version",)}
    assert {key: different[key] for key in different.keys() - entries} == {
        "rope_scaling": "Low frequencies are scaled down (llama3 ×8 from 8,192); "
        "the context is 131,072 tokens.",
        "context": "The context is 16 times as long; when full, its KV cache takes 17.2 GB.",
        "kv_cache_bytes": "With the context full, the KV cache is 16 times as large.",
    }


def test_a_fact_that_one_side_lacks_says_so() -> None:
    pairs = meanings(understand(gpt2()), understand(published("llama-2-7b")))
    theta = pairs["rope_theta"]
    assert theta.base is None and not theta.same
    assert theta.meaning == (
        "The target rotates queries and keys by position (RoPE), the base does not."
    )


@pytest.mark.parametrize("other", tiny_names())
def test_every_difference_has_one_sentence(other: str) -> None:
    base, target = understand(gpt2()), understand(tiny(other))
    for one, two in ((base, target), (target, base)):
        for pair in compare_facts(one, two):
            assert pair.same == (pair.meaning == "")
            if pair.meaning:
                begins = pair.meaning[0]
                assert begins.isupper() or not begins.isalpha() or pair.key.startswith(ENTRY)
                assert pair.meaning.endswith(".")
                assert "None" not in pair.meaning and "{" not in pair.meaning
        assert {p.key for p in compare_facts(one, one) if not p.same} == set()


def test_what_is_the_same_reads_the_same() -> None:
    catalog = {name: understand(open_checkpoint(f"catalog:{name}")) for name in catalog_names()}
    for (one, base), (other, target) in combinations(catalog.items(), 2):
        texts = {
            pair.key: (pair.base.text, pair.target.text)
            for pair in compare_facts(base, target)
            if pair.same and pair.base is not None and pair.target is not None
        }
        assert not {key: both for key, both in texts.items() if both[0] != both[1]}, (one, other)


def test_heads_are_counted_without_the_gate_that_the_query_holds() -> None:
    """Qwen3-Next's queries are stored with a gate of the output, so in twice as many rows."""
    config = {**catalog_config("qwen3-8b"), "num_hidden_layers": 1}
    shapes = llama_shapes(config)
    width = config["hidden_size"]
    rows = 2 * config["num_attention_heads"] * config["head_dim"]
    shapes["model.layers.0.self_attn.q_proj.weight"] = (rows, width)
    facts = values(checkpoint(shapes, config))
    assert facts["heads"] == config["num_attention_heads"]
    assert facts["head_dim"] == config["head_dim"]


def small_llama(**changes: Any) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    config = {**catalog_config("llama-3.2-1b"), "num_hidden_layers": 4}
    return llama_shapes(config), {**config, **changes}


def test_windows_begin_after_the_layers_that_qwen_counts() -> None:
    window = {"model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 3}
    on = values(checkpoint(*small_llama(**window, use_sliding_window=True)))
    assert (on["sliding_window"], on["sliding_layers"]) == (4096, "1 of 4")
    each = on["kv_cache_bytes_per_token"] // 4
    assert on["kv_cache_bytes"] == each * (3 * on["context"] + 4096)
    for off in ({"use_sliding_window": False}, {}):
        facts = values(checkpoint(*small_llama(**window, **off)))
        assert not {"sliding_window", "sliding_layers"} & set(facts)


def test_the_context_is_what_yarn_stretches_to() -> None:
    rope = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}
    long = small_llama(max_position_embeddings=32_768, rope_scaling=rope)
    fact = understand(checkpoint(*long)).fact("context")
    assert fact is not None and fact.value == 131_072
    assert fact.text == "131,072 tokens (config's max_position_embeddings is 32,768)"
    already = small_llama(max_position_embeddings=131_072, rope_scaling=rope)
    assert values(checkpoint(*already))["context"] == 131_072
    short = understand(checkpoint(*small_llama(max_position_embeddings=2048, rope_scaling=None)))
    sentence = meanings(short, understand(checkpoint(*long)))["rope_scaling"].meaning
    assert "2,048" not in sentence and "131,072 tokens" in sentence


def test_a_config_is_not_said_to_say_what_it_leaves_out() -> None:
    shapes, config = small_llama()
    del config["num_key_value_heads"]
    fact = understand(checkpoint(shapes, config)).fact("kv_heads")
    assert fact is not None and (fact.value, fact.text) == (8, "8")


def test_without_a_config_no_familys_numbers_are_facts() -> None:
    shapes = {tensor.name: tensor.shape for tensor in tiny("gemma3_text").tensors}
    facts = understand(checkpoint(shapes)).facts
    assert [fact.key for fact in facts if "default" in fact.source] == ["tied_head"]
    assert not {"rope_theta", "context", "norm_eps", "activation"} & {fact.key for fact in facts}


def test_contradictions_between_config_and_tensors_are_named() -> None:
    shapes, config = small_llama(
        tie_word_embeddings=True, torch_dtype="float16", vocab_size=7, num_hidden_layers=12
    )
    shapes["lm_head.weight"] = shapes["model.embed_tokens.weight"]
    facts = {fact.key: fact.text for fact in understand(checkpoint(shapes, config)).facts}
    assert facts["tied_head"] == "no, a head of its own is stored (config says tied)"
    assert facts["stored_types"] == "BF16 (config says F16)"
    assert facts["vocabulary"] == "128,256 (config says 7)"
    assert facts["layers"] == "4 (config says 12)"
    del shapes["lm_head.weight"]
    untied = {**config, "tie_word_embeddings": False}
    fact = understand(checkpoint(shapes, untied)).fact("tied_head")
    assert fact is not None and fact.text == "no head is stored (config says not tied)"


def test_sharing_keys_is_not_said_to_shrink_a_cache_that_grew() -> None:
    shapes, config = small_llama()
    few = {**config, "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 32}
    mha, gqa = (
        understand(checkpoint(llama_shapes(few), few)),
        understand(checkpoint(shapes, config)),
    )
    pairs = meanings(mha, gqa)
    grown = pairs["kv_cache_bytes_per_token"]
    assert grown.base is not None and grown.target is not None
    ratio = int(str(grown.target.value)) / int(str(grown.base.value))
    assert ratio == 2
    assert pairs["attention"].meaning == (
        "Groups of query heads share their keys and values; in all, the KV cache per token is "
        "twice as large."
    )


def test_what_a_config_alone_tells_is_not_denied_to_a_model_without_one() -> None:
    shapes, config = small_llama()
    for pair in compare_facts(
        understand(checkpoint(shapes, config)), understand(checkpoint(shapes))
    ):
        assert pair.same or "the target has none" not in pair.meaning, pair.key


def leaves(table: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    found = []
    for key, value in table.items():
        found += leaves(value) if isinstance(value, dict) else [(table, key)]
    return found


@pytest.mark.parametrize("name", ["llama-3.1-8b", "qwen3-30b-a3b", "gemma-2-9b", "deepseek-v3"])
def test_no_change_of_a_config_stays_unseen(name: str) -> None:
    shapes = {"model.layers.0.self_attn.q_proj.weight": (64, 64), "model.norm.weight": (64,)}
    before = understand(checkpoint(shapes, catalog_config(name)))
    for at in range(len(leaves(json.loads(json.dumps(catalog_config(name)))))):
        config = json.loads(json.dumps(catalog_config(name)))
        table, key = leaves(config)[at]
        old = table[key]
        table[key] = not old if isinstance(old, bool) else [old, "other"] if old else 77
        after = understand(checkpoint(shapes, config))
        assert any(not pair.same for pair in compare_facts(before, after)), key


def test_many_entries_that_differ_are_bounded_and_counted() -> None:
    shapes, config = small_llama()
    many = {**config, **{f"entry_{n}": n for n in range(MOST_SHOWN + 7)}}
    pairs = compare_facts(
        understand(checkpoint(shapes, config)), understand(checkpoint(shapes, many))
    )
    entries = [pair for pair in pairs if pair.key.startswith(ENTRY)]
    assert len(entries) == MOST_SHOWN + 1
    assert entries[-1].meaning == "Further entries of the configs: 7 more differ."


def test_a_multimodal_configs_text_part_is_compared_with_a_text_models_config() -> None:
    shapes, config = small_llama(attention_dropout=0.5)
    nested = {"model_type": "llava", "text_config": {**config, "attention_dropout": 0.25}}
    pairs = compare_facts(
        understand(checkpoint(shapes, config)), understand(checkpoint(shapes, nested))
    )
    (dropout,) = [pair for pair in pairs if "dropout" in pair.key]
    assert dropout.base is not None and dropout.target is not None
    assert (dropout.base.text, dropout.target.text) == ("0.5", "0.25")


def test_how_a_model_writes_is_compared_too(tmp_path: Path) -> None:
    shapes, config = small_llama()
    sides = []
    for side, temperature in (("base", 0.6), ("target", 1.0)):
        (tmp_path / side).mkdir()
        settings = {"temperature": temperature, "top_p": 0.9}
        (tmp_path / side / "generation_config.json").write_text(json.dumps(settings))
        folder = tmp_path / side
        source = LocalFolder.at(Reference("folder", str(folder), str(folder)), folder)
        sides.append(understand(replace(checkpoint(shapes, config), source=source)))
    (pair,) = [pair for pair in compare_facts(*sides) if not pair.same]
    assert pair.meaning == "generation_config.json: temperature: 1.0 instead of 0.6."
