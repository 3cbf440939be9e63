"""Adapters: small updates to the weights of a model that lies elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modeldiff.checkpoints.formats.stand_ins import refuse_stand_in
from modeldiff.checkpoints.source import Source
from modeldiff.errors import CheckpointError, DamagedCheckpoint, UnsupportedFormat
from modeldiff.text.quoting import quoted

ADAPTER_CONFIG = "adapter_config.json"
MERGE_IT = (
    "Merge the adapter into its base (peft: merge_and_unload(), then save_pretrained(FOLDER)) and "
    "give that folder."
)
_MAX_BYTES = 5_000_000
_WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
_BESIDE = ("adapter_model", "training_args", "optimizer", "scheduler", "rng_state", "scaler")
"""What an adapter's own files of weights, and those of the run that made it, begin with."""


def is_adapter(source: Source) -> bool:
    """Whether a source is an adapter: its config is there and no other weights than its own."""
    if source.named or not source.has(ADAPTER_CONFIG):
        return False
    names = [name for name in source.list() if name.endswith(_WEIGHTS) and "/" not in name]
    return all(name.startswith(_BESIDE) for name in names)


def refuse_adapter(source: Source) -> None:
    """Raise ``UnsupportedFormat`` where ``source``, which is to be a model, is an adapter."""
    if is_adapter(source):
        raise UnsupportedFormat(
            f"{source.where()} is {describe_adapter(source)}: an update to a model, and no model "
            "itself.",
            hint=f"An adapter on an adapter is not read. {MERGE_IT}",
        )


def adapter_beside(source: Source) -> str:
    """The adapter that lies beside a model, in words; empty where none does."""
    return describe_adapter(source) if source.has(ADAPTER_CONFIG) else ""


def adapter_json(source: Source) -> tuple[Mapping[str, Any], bytes]:
    """The adapter's config, and its bytes.

    Raises ``DamagedCheckpoint`` where it is no JSON object, and what reading raises.
    """
    where = source.where(ADAPTER_CONFIG)
    raw = source.read_small(ADAPTER_CONFIG, _MAX_BYTES)
    refuse_stand_in(raw, where)
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, Mapping):
        raise DamagedCheckpoint(f"{where} is no JSON object.", hint="Download or copy it again.")
    return config, raw


def describe_adapter(source: Source) -> str:
    """``an adapter (LoRA, rank 4) of 'owner/name'``, as far as its config says so."""
    try:
        config, _ = adapter_json(source)
    except CheckpointError:
        return "an adapter"
    kind, rank = config.get("peft_type"), config.get("r")
    base = config.get("base_model_name_or_path")
    kind = "LoRA" if kind == "LORA" else kind
    details = [quoted(kind, 20).strip("'")] if isinstance(kind, str) and kind else []
    if type(rank) is int:
        details.append(f"rank {rank}")
    words = f"an adapter ({', '.join(details)})" if details else "an adapter"
    return f"{words} of {quoted(base)}" if isinstance(base, str) and base else words
