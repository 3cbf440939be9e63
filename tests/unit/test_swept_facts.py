"""Every model type that transformers builds tiny: the facts are what the library itself says.

``tests/support/sweep.py`` made the data: sizes from config objects, counts from models, and the KV
cache from what a forward pass left in it. A fact may be missing, where nobody described a family's
names; what is said has to be true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from modeldiff.architectures import Architecture, understand
from tests.support.sweep import LONG
from tests.support.swept_models import expected, left_out_types, swept, swept_types

CACHE_KEYS = ("kv_cache_bytes_per_token", "kv_cache_bytes")
SIZES = {
    "layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocabulary": "vocab_size",
    "context": "max_position_embeddings",
    "parameters": "parameters",
    "parameters_active": "active",
}
TOLD_OTHERWISE = {
    ("cpmant", "kv_cache_bytes_per_token"): "a prompt of 32 tokens before the text is kept, too",
    ("hrm_text", "layers"): "two stacks, of which the config counts a part",
    ("longcat_flash", "layers"): "two attentions in a layer, which transformers counts as two",
    ("openai-gpt", "kv_cache_bytes_per_token"): "transformers keeps nothing, others do",
    ("unlimited_ocr", "kv_cache_bytes_per_token"): "kept under names of its own",
    **{
        (model_type, key): "the library counts a correction of the router's scores, too"
        for model_type in ("afmoe", "ernie4_5_moe", "laguna")
        for key in ("parameters", "parameters_active")
    },
}
"""Where the library counts another thing than the fact does."""
NO_CACHE_TOLD = {
    "deepseek_v4": "beside a window it keeps tokens that it compresses many to one",
}
"""Types that keep keys and values of which nothing is told, and why."""
TOLD_AT_LEAST = {
    "layers": 270,
    "hidden_size": 270,
    "heads": 260,
    "kv_heads": 185,
    "head_dim": 105,
    "vocabulary": 270,
    "context": 255,
    "parameters": 270,
    "parameters_active": 65,
    "kv_cache_bytes_per_token": 200,
    "kv_cache_bytes": 185,
}
"""Of how many types each fact is told, so that silence does not pass for truth."""


@cache
def wanted(model_type: str) -> Mapping[str, int]:
    """What facts should say, as far as the library knows."""
    said = expected(model_type)
    values = {key: said[name] for key, name in SIZES.items() if said[name] not in (None, -1)}
    # Latent attention has heads of two widths.
    if "kv_lora_rank" in str(swept(model_type).config):
        values.pop("head_dim", None)
    layers, context = said["cache"], said["max_position_embeddings"]
    if isinstance(layers, list):
        values["kv_cache_bytes_per_token"] = 2 * sum(numbers for numbers, _ in layers)
        # The library keeps a token less than the window, as the next one comes to it.
        kept = [context if tokens == LONG else tokens + 1 for _, tokens in layers]
        if context and context > 0:
            numbers = (n * min(context, k) for (n, _), k in zip(layers, kept, strict=True))
            values["kv_cache_bytes"] = 2 * sum(numbers)
    elif layers.startswith("none"):
        values["kv_cache_bytes_per_token"] = 0
    return values


@cache
def architecture(model_type: str) -> Architecture:
    return understand(swept(model_type))


@pytest.mark.parametrize("model_type", swept_types())
def test_what_is_said_is_what_transformers_says(model_type: str) -> None:
    found: dict[str, tuple[Any, int]] = {}
    for key, value in wanted(model_type).items():
        fact = architecture(model_type).fact(key)
        agrees = fact is None or fact.value == value or f"config says {value:,}" in fact.text
        if not agrees and (model_type, key) not in TOLD_OTHERWISE:
            found[key] = (fact and fact.value, value)
    assert found == {}


def test_most_is_said() -> None:
    told = Counter(
        key
        for model_type in swept_types()
        for key in wanted(model_type)
        if architecture(model_type).fact(key) is not None
    )
    assert {key: told[key] for key, least in TOLD_AT_LEAST.items() if told[key] < least} == {}


def test_every_cache_is_told_or_has_its_reason() -> None:
    silent = {
        model_type
        for model_type in swept_types()
        if wanted(model_type).get("kv_cache_bytes_per_token")
        and architecture(model_type).fact("kv_cache_bytes_per_token") is None
    }
    assert silent == set(NO_CACHE_TOLD)


def test_what_the_sweep_leaves_out_has_a_reason() -> None:
    assert len(swept_types()) > 270
    assert all(left_out_types().values())
    assert not set(swept_types()) & set(left_out_types())
