"""A config alone → the names, shapes and types that the checkpoint's files would hold.

The library transformers builds the model on its meta device (no memory for weights) and turns
its in-memory names back into stored ones. Two of the functions used here are importable but not
exported at the top of the library; they are used in this module only. Tested with transformers
5.23, where the result equalled what ``save_pretrained`` writes.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modeldiff.checkpoints.quoting import quoted
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat

Listing = tuple[tuple[str, str, tuple[int, ...]], ...]
"""(name, stored type in safetensors' spelling, shape) of each tensor."""

MAX_LAYERS = 1_000
MAX_MODULES = 200_000
MAX_SIZE = 1 << 31
_MAX_DEPTH = 8

_LAYER_KEYS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "encoder_layers",
    "decoder_layers",
    "num_decoder_layers",
)
_EXPERT_KEYS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")

_STORED = {
    "torch.bfloat16": "BF16",
    "torch.float16": "F16",
    "torch.float32": "F32",
    "torch.float64": "F64",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
    "torch.int64": "I64",
    "torch.int32": "I32",
    "torch.int8": "I8",
    "torch.uint8": "U8",
    "torch.bool": "BOOL",
}


def stored_listing(config: Mapping[str, Any]) -> Listing:
    """The tensors that a checkpoint with this config stores, tied copies left out.

    Imports torch and transformers (seconds). No code from the config is run: ``auto_map`` is
    ignored. Raises ``DamagedCheckpoint`` for a config whose numbers are absurd or contradict each
    other, ``UnsupportedFormat`` for a model type that the library does not know.
    """
    refuse_absurd(config)
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise UnsupportedFormat(
            "The config names no model_type, so its tensors cannot be known.",
            hint="Add model_type (such as llama), or give a folder with weights.",
        )
    import torch
    from transformers import AutoConfig
    from transformers.core_model_loading import revert_weight_conversion
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        raise UnsupportedFormat(
            f"The model type {quoted(model_type)} is not known to the installed transformers.",
            hint="Give a folder with weights: its headers are read whatever the model type.",
        )
    try:
        with tempfile.TemporaryDirectory() as folder:
            # The library resolves defaults only on the way through a file.
            path = Path(folder, "config.json")
            path.write_text(json.dumps(_with_type(config)), encoding="utf-8")
            resolved = AutoConfig.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        with torch.device("meta"):
            model = _model_class(resolved, model_type).from_config(
                resolved, trust_remote_code=False
            )
        tied = set(model.all_tied_weights_keys)
        state = {name: t for name, t in model.state_dict().items() if name not in tied}
        stored = revert_weight_conversion(model, state)
    except Exception as error:  # whatever a contradictory config breaks inside the library
        raise DamagedCheckpoint(
            f"No {model_type} model can be built from this config: {_first_line(error)}",
            hint="Check the sizes in it (heads, hidden size, layers) against a published one.",
        ) from error
    return tuple(
        (name, _STORED.get(str(tensor.dtype), "F32"), tuple(tensor.shape))
        for name, tensor in stored.items()
    )


def refuse_absurd(config: Mapping[str, Any]) -> None:
    """Raise ``DamagedCheckpoint`` for sizes that would take minutes or gigabytes to build."""
    layers = experts = 1
    for key, value in _numbers(config):
        if not math.isfinite(value) or abs(value) > MAX_SIZE:
            _absurd(f"{key} is {value:g}")
        if key in _LAYER_KEYS:
            layers = max(layers, int(value))
        if key in _EXPERT_KEYS:
            experts = max(experts, int(value))
    if layers > MAX_LAYERS:
        _absurd(f"{layers:,} layers are more than the {MAX_LAYERS:,} that are built")
    if layers * experts > MAX_MODULES:
        _absurd(f"{layers:,} layers of {experts:,} experts are too many to build")


def _with_type(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config, which names bf16 where it is of a quantised model and names no type: the library
    would take float32, which nobody quantises from."""
    text = config.get("text_config")
    said = (config, text if isinstance(text, Mapping) else {})
    named = any(part.get(key) for part in said for key in ("dtype", "torch_dtype"))
    own = dict(config)
    return own if named or not config.get("quantization_config") else own | {"dtype": "bfloat16"}


def _numbers(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Every number in a config with the key it stands at."""
    if depth > _MAX_DEPTH:
        _absurd("it is nested too deeply")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(inner, str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, key, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            yield key, float(value)
        except OverflowError:
            _absurd(f"{quoted(key)} has {len(str(value)):,} digits")


def _absurd(what: str) -> None:
    raise DamagedCheckpoint(
        f"This config is not built: {what}.",
        hint="Check its numbers against the config that the model was published with.",
    )


def _model_class(config: Any, model_type: str) -> Any:
    """The auto class that the config's ``architectures`` calls for."""
    import transformers
    from transformers.models.auto import modeling_auto

    named = next(iter(config.architectures or ()), None)
    for auto, mapping in (
        ("AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
        ("AutoModelForImageTextToText", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES"),
        ("AutoModelForSeq2SeqLM", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"),
        ("AutoModelForMaskedLM", "MODEL_FOR_MASKED_LM_MAPPING_NAMES"),
    ):
        names = getattr(modeling_auto, mapping, {})
        classes = names.get(model_type)
        if classes and (named is None or named == classes or named in classes):
            return getattr(transformers, auto)
    if named is None and model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return transformers.AutoModelForCausalLM
    return transformers.AutoModel


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return quoted(lines[0] if lines else type(error).__name__, limit=200)
