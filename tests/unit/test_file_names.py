"""Names of saved files: they say the pair, and nothing in a model's name gets out of them."""

from __future__ import annotations

import re

import pytest

from modeldiff.text.file_names import file_slug, pair_slug


def test_a_pair_is_named() -> None:
    assert pair_slug(("Llama 3.1 8B", "Llama-3.1-8B Instruct")) == (
        "llama-3.1-8b-to-llama-3.1-8b-instruct"
    )
    assert file_slug("Tülu 3 – SFT") == "tulu-3-sft"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\\b:c*?",
        ".hidden",
        "…",
        "模型",
        "",
        "x" * 10_000,
        "a\r\nb",
        "CON.",
        "‮gnp",
    ],
)
def test_a_hostile_name_is_a_plain_one(name: str) -> None:
    slug = file_slug(name)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?", slug)
    assert ".." not in slug
