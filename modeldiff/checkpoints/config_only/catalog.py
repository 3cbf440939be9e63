"""The catalog: published configs, by the names behind ``catalog:``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).parents[1] / "catalog"


def catalog_names() -> tuple[str, ...]:
    """The names behind ``catalog:``, in alphabetical order."""
    return tuple(sorted(path.stem for path in CATALOG.glob("*.json") if path.stem != "provenance"))


def catalog_file(name: str) -> Path:
    """Where the config of a name that is in the catalog lies."""
    return CATALOG / f"{name}.json"


def catalog_config(name: str) -> Mapping[str, Any]:
    """The published config of a name that is in the catalog."""
    config: dict[str, Any] = json.loads(catalog_file(name).read_text(encoding="utf-8"))
    return config


def released_month(name: str) -> str | None:
    """The month in which a model of the catalog was published, as ``2024-07``; None where nobody
    noted it."""
    provenance: dict[str, Any] = json.loads(
        (CATALOG / "provenance.json").read_text(encoding="utf-8")
    )
    released = provenance.get(name, {}).get("released")
    return str(released["month"]) if released else None


def catalog_title(name: str) -> str:
    """What people call a model of the catalog: ``Llama 3.1 8B``; its ``name`` where no title is
    kept."""
    return _TITLES.get(name, name)


_TITLES: Mapping[str, str] = {
    "deepseek-v3": "DeepSeek-V3",
    "gemma-2-9b": "Gemma 2 9B",
    "gemma-3-1b": "Gemma 3 1B",
    "gemma-3-4b": "Gemma 3 4B",
    "gpt-oss-20b": "gpt-oss 20B",
    "gpt2-124m": "GPT-2 124M",
    "llama-2-7b": "Llama 2 7B",
    "llama-3-8b": "Llama 3 8B",
    "llama-3.1-405b": "Llama 3.1 405B",
    "llama-3.1-8b": "Llama 3.1 8B",
    "llama-3.2-1b": "Llama 3.2 1B",
    "llama-3.2-3b": "Llama 3.2 3B",
    "llama-3.3-70b": "Llama 3.3 70B",
    "mistral-7b-v0.1": "Mistral 7B v0.1",
    "mistral-7b-v0.3": "Mistral 7B v0.3",
    "mixtral-8x7b": "Mixtral 8x7B",
    "olmo-2-7b": "OLMo 2 7B",
    "phi-3-mini-4k": "Phi-3 mini 4k",
    "qwen2-7b": "Qwen2 7B",
    "qwen2-7b-instruct": "Qwen2 7B Instruct",
    "qwen2.5-7b": "Qwen2.5 7B",
    "qwen3-30b-a3b": "Qwen3 30B-A3B",
    "qwen3-8b": "Qwen3 8B",
}
