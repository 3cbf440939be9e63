"""A config alone → the names, shapes and types that the checkpoint's files would hold.

The library transformers builds the model on its meta device (no memory for weights) and turns
its in-memory names back into stored ones. Two of the functions used here are importable but not
exported at the top of the library; they are used in this module only. Tested with transformers
5.23, where the result equalled what ``save_pretrained`` writes.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from modeldiff.checkpoints.config_only.limits import refuse_absurd
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.extras import require
from modeldiff.text.quoting import quoted

Listing = tuple[tuple[str, str, tuple[int, ...]], ...]
"""(name, stored type in safetensors' spelling, shape) of each tensor."""

_LEFT_OUT = re.compile(
    "auto_map|quantization_config|use_kernels|kernel_config|distributed_config|_name_or_path"
    "|_?(attn|experts)_implementation.*"
)
"""What would make the library run or fetch something, and says nothing of names and shapes."""

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

    Imports torch and transformers (seconds), but not before the config's numbers were looked at.
    No code that the config names is run or fetched: not that of ``auto_map``, nor kernels. Raises
    ``DamagedCheckpoint`` for a config whose numbers are absurd or contradict each other,
    ``UnsupportedFormat`` for a model type that the library does not know, ``MissingExtra`` where
    the libraries are not installed.
    """
    refuse_absurd(config)
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise UnsupportedFormat(
            "The file names no model_type, as a model's config does, so its tensors cannot be "
            "known.",
            hint="Give the folder that it is in, if that has weights; or add model_type (such as "
            "llama) to a config.",
        )
    if not _may_be_known(model_type):
        _refuse_type(model_type, config)
    require("configs", "An architecture from its config alone")
    import torch
    from transformers import AutoConfig
    from transformers.core_model_loading import revert_weight_conversion
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        _refuse_type(model_type, config)
    try:
        with tempfile.TemporaryDirectory() as folder:
            # The library resolves defaults only on the way through a file.
            path = Path(folder, "config.json")
            path.write_text(json.dumps(_harmless(config)), encoding="utf-8")
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


def _may_be_known(model_type: str) -> bool:
    """False where the library's list of model types does not hold this one, which costs a look at
    its text and no import; True where it might."""
    spec = find_spec("transformers")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    texts = [path for folder in folders for path in Path(folder, "models", "auto").glob("*.py")]
    literal = f'"{model_type}"'
    return not texts or any(literal in path.read_text(encoding="utf-8") for path in texts)


def _refuse_type(model_type: str, config: Mapping[str, Any]) -> NoReturn:
    own = "; the code that its auto_map names is not run" if "auto_map" in config else ""
    raise UnsupportedFormat(
        f"The model type {quoted(model_type)} is not known to the installed transformers{own}.",
        hint="Give a folder with weights: its headers are read whatever the model type.",
    )


def _harmless(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without what names code. One of a quantised model that names no type gets bf16:
    the library would take float32, which nobody quantises from."""
    own: dict[str, Any] = _without(config)
    text = config.get("text_config")
    configs = (config, text if isinstance(text, Mapping) else {})
    named = any(part.get(key) for part in configs for key in ("dtype", "torch_dtype"))
    if config.get("quantization_config") and not named:
        own["dtype"] = "bfloat16"
    classes = own.get("architectures")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        own.pop("architectures", None)
    return own


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = ((str(key), inner) for key, inner in value.items())
        return {key: _without(inner) for key, inner in kept if not _LEFT_OUT.fullmatch(key)}
    return [_without(inner) for inner in value] if isinstance(value, list) else value


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
