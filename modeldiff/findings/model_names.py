"""What a model is called in a figure, and when it was published, where that is known."""

from __future__ import annotations

import re

from modeldiff.checkpoints.config_only.catalog import released_month
from modeldiff.model import Model

_SPELLINGS = {
    "gpt2": "GPT-2",
    "gpt": "gpt",
    "oss": "oss",
    "deepseek": "DeepSeek",
    "olmo": "OLMo",
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?x)?\d+(?:\.\d+)?[bm]|a\d+b", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 80


def figure_name(model: Model) -> str:
    """A model's name for people: of the catalog as it is written (``Llama 3.1 8B``), else the last
    part of its reference."""
    reference = model.checkpoint.reference
    last = re.split(r"[/\\]", model.text.partition("@")[0].rstrip("/\\"))[-1]
    if reference.kind != "catalog":
        return (last.rpartition(":")[2] or last)[:_LONGEST]
    return " ".join(map(_written, last.rpartition(":")[2].split("-"))).replace("gpt oss", "gpt-oss")


def release_text(model: Model) -> str:
    """When a model of the catalog was published: ``Jul 2024``; "" where that is not known."""
    reference = model.checkpoint.reference
    month = released_month(reference.location) if reference.kind == "catalog" else None
    if month is None:
        return ""
    year, number = month.split("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def _written(word: str) -> str:
    if word in _SPELLINGS:
        return _SPELLINGS[word]
    if _SIZE.fullmatch(word):
        return word.upper().replace("X", "×")
    return word if word[:2] in ("v0", "v1") else word[:1].upper() + word[1:]
