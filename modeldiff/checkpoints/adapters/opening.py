"""An adapter and its base, opened as one checkpoint: what merging would give, never written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePath

from modeldiff.checkpoints.adapters.adapted_files import (
    AdaptedFiles,
    adapted_fingerprint,
    own_name,
)
from modeldiff.checkpoints.adapters.adapter import Adapter
from modeldiff.checkpoints.adapters.config import AdapterConfig, read_adapter_config
from modeldiff.checkpoints.adapters.merging import Merging
from modeldiff.checkpoints.adapters.stored_parts import StoredParts, sort_parts
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.adapters import ADAPTER_CONFIG, describe_adapter
from modeldiff.checkpoints.formats.format import Assembly, FileSet, Format
from modeldiff.checkpoints.formats.pytorch.pytorch_files import PyTorch
from modeldiff.checkpoints.formats.safetensors_files import Safetensors
from modeldiff.checkpoints.references import MAX_LENGTH, Reference, parse_reference
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import (
    CheckpointError,
    CheckpointNotFound,
    InvalidReference,
    NoWeights,
)
from modeldiff.settings.startup import is_server
from modeldiff.text.quoting import quoted

_WEIGHTS: dict[str, Format] = {
    "adapter_model.safetensors": Safetensors(),
    "adapter_model.bin": PyTorch(),
}


def _give_base(adapter: Source) -> str:
    return (
        f"Say what it is an adapter of: BASE + {adapter.reference}, with the model's own reference "
        "in place of BASE (in a link, + is %2B)."
    )


OpenModel = Callable[[Reference], Checkpoint]


def open_adapted(
    reference: Reference, base: Reference | None, adapter: Source, open_model: OpenModel
) -> Checkpoint:
    """The checkpoint that ``adapter`` makes of the model that ``base`` names, by default the one
    that the adapter's config says it is of. ``reference`` is what was asked for; ``open_model``
    opens what is no adapter.

    Raises ``UnsupportedFormat`` for an adapter that is none of those that are read or does not fit
    the base, ``CheckpointError`` with what stands below it where base cannot be opened, and what
    reading raises.
    """
    if not adapter.has(ADAPTER_CONFIG):
        raise NoWeights(
            f"{adapter.where()} holds no {ADAPTER_CONFIG}: it is no adapter of PEFT.",
            hint="Give the model first, then the folder or repository of its adapter.",
        )
    config = read_adapter_config(adapter)
    own = _read_weights(adapter)
    model = open_model(base) if base is not None else _open_named_base(config, adapter, open_model)
    if not model.tensors or model.format == "config":
        raise NoWeights(
            f"{model.reference} has no weights that {adapter.where()} could update.",
            hint="Give the model that it was trained on, with its weights.",
        )
    parts = sort_parts(_renamed(own.tensors))
    merging = Merging(model.tensors, config, adapter.where())
    tensors = merging.merge(parts)
    pinned = adapter.pinned(own.heads)
    files = {own_name(file): head.stat.size for file, head in own.heads.items()}
    fingerprint = adapter.fingerprint(own.heads, config.raw)
    return replace(
        model,
        reference=reference,
        tensors=tensors,
        files={**model.files, **files},
        fingerprint=adapted_fingerprint(model.fingerprint, fingerprint),
        source=AdaptedFiles(reference, model.source, pinned),
        warnings=(*model.warnings, *adapter.warnings, *own.warnings),
        adapter=_described(adapter.reference, model, parts, merging),
    )


def _read_weights(adapter: Source) -> Assembly:
    """The headers of the adapter's weights."""
    if adapter.named:
        format: Format = PyTorch() if adapter.named.endswith(".bin") else Safetensors()
        return format.read_headers(adapter, FileSet((adapter.named,)))
    for file, known in _WEIGHTS.items():
        if adapter.has(file):
            return known.read_headers(adapter, FileSet((file,)))
    raise NoWeights(
        f"{adapter.where()} has {ADAPTER_CONFIG}, but neither {' nor '.join(_WEIGHTS)}.",
        hint="Copy or download the adapter again.",
    )


def _renamed(tensors: Iterable[TensorInfo]) -> list[TensorInfo]:
    """The tensors as pieces of the adapter's files, as the adapted source calls these."""
    return [
        replace(
            tensor,
            pieces=tuple(piece._replace(file=own_name(piece.file)) for piece in tensor.pieces),
        )
        for tensor in tensors
    ]


def _open_named_base(config: AdapterConfig, adapter: Source, open_model: OpenModel) -> Checkpoint:
    """The model that the adapter's config names. It is text from outside: what it may open is what
    somebody may who types it, and on a server no path that is relative to this process."""
    what = f"{adapter.where()} is {describe_adapter(adapter)}"
    if not config.base:
        raise CheckpointNotFound(
            f"{what}, and does not say of which model.", hint=_give_base(adapter)
        )
    try:
        return open_model(_base_reference(config))
    except (CheckpointError, InvalidReference) as error:
        kind = type(error) if isinstance(error, CheckpointError) else CheckpointNotFound
        raise kind(
            f"{what}, which cannot be opened: {error.message}", hint=_give_base(adapter)
        ) from error


def _base_reference(config: AdapterConfig) -> Reference:
    text = config.base
    is_path = PurePath(text).is_absolute()
    if len(text) > MAX_LENGTH or "://" in text or (is_server() and not is_path and "/" not in text):
        raise InvalidReference(f"{quoted(text)} is no name of a model that could be looked for.")
    if is_server() and not is_path:
        text = f"hf://{text}"
    revision = config.base_revision
    if revision and not is_path and re.fullmatch(r"[\w./-]{1,255}", revision, re.ASCII):
        with_revision = parse_reference(f"{text}@{revision}") if "@" not in text else None
        if with_revision is not None and with_revision.kind == "hub":
            return with_revision
    reference = parse_reference(text)
    if reference.kind not in ("folder", "file", "hub", "demo"):
        raise InvalidReference(f"{quoted(text)} is no model with weights.")
    return reference


def _described(
    reference: Reference, model: Checkpoint, parts: StoredParts, merging: Merging
) -> Adapter:
    magnitudes = [each for each in parts.modules if "lora_magnitude_vector" in each.tensors]
    targets = dict.fromkeys(module.rpartition(".")[2] for module in merging.modules)
    return Adapter(
        reference=reference,
        base=model.reference,
        base_fingerprint=model.fingerprint,
        kind="DoRA" if magnitudes else "LoRA",
        ranks=tuple(sorted(merging.ranks)),
        targets=tuple(targets),
        updated=len(merging.updated),
    )
