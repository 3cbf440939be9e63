"""Adapters: small updates to the weights of a model that lies elsewhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from modeldiff.checkpoints.formats.stand_ins import refuse_stand_in
from modeldiff.checkpoints.source import Source
from modeldiff.errors import CheckpointError, UnsupportedFormat
from modeldiff.text.quoting import quoted

ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER = "adapter_model"
_MAX_BYTES = 5_000_000


def refuse_adapter(source: Source, files: Collection[str]) -> None:
    """Raise ``UnsupportedFormat`` where the chosen ``files``, or without any all that is there, are
    an adapter with its config."""
    if not source.has(ADAPTER_CONFIG):
        return
    weights = files or [
        name for name in source.list() if name.endswith((".bin", ".pt")) and "/" not in name
    ]
    if weights and all(name.startswith((_ADAPTER, "training_args")) for name in weights):
        raise UnsupportedFormat(
            f"{source.where()} is {_described(source)}: an update to a model, and no model itself.",
            hint="Adapters are not read yet. Merge it into its base (peft: merge_and_unload(), "
            "then save_pretrained(FOLDER)) and give that folder. To see the tensors of the adapter "
            "itself, give its .safetensors file.",
        )


def adapter_beside(source: Source) -> str:
    """The adapter that lies beside a model, in words; empty where none does."""
    return _described(source) if source.has(ADAPTER_CONFIG) else ""


def _described(source: Source) -> str:
    """``an adapter (LORA, rank 4) of 'owner/name'``, as far as its config says so."""
    try:
        raw = source.read_small(ADAPTER_CONFIG, _MAX_BYTES)
        refuse_stand_in(raw, ADAPTER_CONFIG)
        config = json.loads(raw)
    except (CheckpointError, ValueError, RecursionError):
        config = None
    if not isinstance(config, Mapping):
        return "an adapter"
    kind, rank = config.get("peft_type"), config.get("r")
    base = config.get("base_model_name_or_path")
    details = [quoted(kind, 20).strip("'")] if isinstance(kind, str) and kind else []
    if type(rank) is int:
        details.append(f"rank {rank}")
    words = f"an adapter ({', '.join(details)})" if details else "an adapter"
    return f"{words} of {quoted(base)}" if isinstance(base, str) and base else words
