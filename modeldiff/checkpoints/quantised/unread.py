"""Methods whose codes are known and not read: what each is, and what to do with it.

torchao's tiles of a kernel (``_weight_qdata`` I32 [out / 8, in / 128, 32, 4] with
``_weight_scale_and_zero``, ``_weight_packed_weights``) and AQLM's ``codes`` into ``codebooks``.
"""

from __future__ import annotations

from modeldiff.checkpoints.quantised.named_tensors import NamedTensors, require_fit
from modeldiff.checkpoints.tensor import TensorInfo

INSTEAD = "dequantise the model with the library that wrote it, and save that"
"""What to do with codes that are not read."""
_OTHER_PACKINGS = frozenset({"gptq_p", "marlin", "bitblas", "qqq", "gemv", "gemv_fast", "llm-awq"})
"""Words of configs for orders of GPTQ's and AWQ's codes that shapes do not tell from theirs."""


def refuse_unread(name: str, stored: NamedTensors) -> TensorInfo | None:
    """Always None: comes behind the methods that read. Raises ``Unfit`` where the codes called
    ``name`` are of a method that none of them reads."""
    method = _method(name, stored)
    require_fit(not method, f"codes as {method} packs them are not read ({INSTEAD})")
    return None


def require_known_packing(stored: NamedTensors) -> None:
    """Raise ``Unfit`` where the config says that words are packed in an order that is not read."""
    settings = stored.settings
    said = {settings.word(key) for key in ("checkpoint_format", "format", "version")}
    other = min(said & _OTHER_PACKINGS, default="")
    require_fit(not other, f"the config says that they are packed as {other} ({INSTEAD})")


def _method(name: str, stored: NamedTensors) -> str:
    module, dot, last = name.rpartition(".")
    if last.endswith(("qdata", "packed_weights")) and ("weight_" in last or "weight:" in last):
        return "torchao"
    return "AQLM" if last == "codes" and stored.beside(f"{module}{dot}codebooks") else ""
