"""PEFT's patterns: what Python's engine answers, in bounded time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.checkpoints.adapters.patterns import Patterns
from modeldiff.errors import UnsupportedFormat

NAMES = [
    "q_proj",
    "model.layers.0.self_attn.q_proj",
    "model.layers.12.self_attn.q_proj",
    "model.layers.1.mlp.experts.gate_up_proj",
    "lm_head",
    "xq_proj",
    "model.q_proj.x",
]
PIECES = [
    *("q_proj", ".", r"\.", ".*", ".+", r"\d+", r"\d", "[0-9]+", "[1-3]", "(0|12)", "(?:q|k)_proj"),
    *("self_attn", "layers", "model", "a?", "x*", "_", "|"),
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7), st.sampled_from(["", "^"]))
def test_it_answers_as_peft_does(pieces: list[str], start: str) -> None:
    pattern = start + "".join(pieces)
    plain = re.fullmatch(r"[\w.]+", pattern) is not None
    meant = re.escape(pattern) if plain else pattern  # a dot of a plain name is a dot
    try:
        known, expected = Patterns({pattern: 1.0}, "config"), re.compile(rf"(.*\.)?({meant})$")
    except (UnsupportedFormat, re.error):
        return
    for name in NAMES:
        assert (known.value(name) is not None) == (expected.match(name) is not None), name


def test_the_first_that_fits_counts() -> None:
    patterns = Patterns({"k_proj": 1, r"layers\.[0-4]\..*q_proj": 2, "q_proj": 3}, "config")
    assert patterns.value("model.layers.3.self_attn.q_proj") == 2
    assert patterns.value("model.layers.5.self_attn.q_proj") == 3
    assert patterns.value("model.layers.5.self_attn.o_proj") is None


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|(b))", "a{1,9}", "[z-a]", "(?=a)", r"\1", "x" * 201 + "*", "a(", "é*"]
)
def test_what_is_not_understood_is_said(pattern: str) -> None:
    with pytest.raises(UnsupportedFormat, match="is not understood"):
        Patterns({pattern: 1.0}, "config")


def test_a_bomb_is_answered_at_once() -> None:
    patterns = Patterns({".*" * 90 + "y": 1.0}, "config")
    assert patterns.value("x" * 2_000) is None
    with pytest.raises(UnsupportedFormat, match="more patterns"):
        many = Patterns({"x.*" * 60 + str(n): 1.0 for n in range(90)}, "config")
        for _ in range(9):
            many.value("x" * 2_000)
