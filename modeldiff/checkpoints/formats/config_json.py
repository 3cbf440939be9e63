"""``config.json``: commentary on the weights, so a bad one is worth a warning and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.stand_ins import stand_in
from modeldiff.errors import ModeldiffError

CONFIG_NAME = "config.json"
PARAMS_NAME = "params.json"
"""What Meta's and Mistral's own files have in its place."""
GENERATION_CONFIG_NAME = "generation_config.json"
MAX_CONFIG_BYTES = 5_000_000
_SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")


def parse_config(
    raw: bytes, name: str = CONFIG_NAME
) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """The config and no warning, or None and why it was left aside."""
    if instead := stand_in(raw):
        return None, (f"{name} {instead.what}. It was left aside. {instead.hint}",)
    try:
        parsed = json.loads(raw)
        json.dumps(parsed, ensure_ascii=False).encode()  # lone surrogates can't be shown
    except (ValueError, RecursionError):
        return None, (f"{name} is not valid JSON and was left aside.",)
    if not isinstance(parsed, dict):
        return None, (f"{name} is not a JSON object and was left aside.",)
    return parsed, ()


def is_of_same_model(beside: Mapping[str, Any], of_files: Mapping[str, Any]) -> bool:
    """Whether a config that lies beside files, which say of themselves what model they are, can be
    that model's: it has as many layers of the same width."""
    return all(
        type(of_files.get(name)) is int and beside.get(name) == of_files[name] for name in _SIZES
    )


def read_generation_config(checkpoint: Checkpoint) -> Mapping[str, Any] | None:
    """What lies beside the config and says how the model writes; None where it is missing, can't
    be read or makes no sense, for nothing depends on it."""
    try:
        raw = checkpoint.source.read_small(GENERATION_CONFIG_NAME, MAX_CONFIG_BYTES)
    except (ModeldiffError, OSError):
        return None
    return parse_config(raw)[0]
