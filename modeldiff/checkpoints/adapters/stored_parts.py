"""What an adapter's file holds, sorted by the module that it is for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field

from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_PREFIX = "base_model.model."
_PART = re.compile(
    r"(?P<module>.+)\.(?:(?P<kind>lora_A|lora_B|lora_embedding_A|lora_embedding_B"
    r"|lora_magnitude_vector)(?:\.default)?(?P<end>\.weight|\.bias)?"
    r"|(?P<rows>trainable_tokens_delta)(?:\.default)?)",
    re.DOTALL,
)
_WRAPPER = ".base_layer"
_WHOLE = (".modules_to_save.default.", ".modules_to_save.", ".original_module.", ".base_layer.")


@dataclass
class ModuleParts:
    """The tensors of one ``module``, by what they are: ``lora_A``, ``lora_B.bias``,
    ``trainable_tokens_delta`` … ``depth`` counts the wrappers that PEFT put around what is updated,
    where several of a module's parameters are."""

    module: str
    depth: int = 0
    tensors: dict[str, TensorInfo] = field(default_factory=dict)

    def factors(self) -> tuple[TensorInfo, TensorInfo] | None:
        """A and B, of a matrix or of an embedding; None where one of them is not there."""
        for stem in ("lora_", "lora_embedding_"):
            a, b = self.tensors.get(f"{stem}A"), self.tensors.get(f"{stem}B")
            if a is not None and b is not None:
                return a, b
        return None

    @property
    def of_embedding(self) -> bool:
        """Whether the factors are those of an embedding."""
        return "lora_embedding_A" in self.tensors


@dataclass(frozen=True)
class StoredParts:
    """An adapter's ``modules``, in the order of their names in the file, and the tensors that stand
    in base's place as a ``whole``, by the names that they have in the model."""

    modules: tuple[ModuleParts, ...]
    whole: dict[str, TensorInfo]


def sort_parts(tensors: Iterable[TensorInfo]) -> StoredParts:
    """The tensors of an adapter by module, as PEFT names them."""
    modules: dict[tuple[str, int], ModuleParts] = {}
    whole: dict[str, TensorInfo] = {}
    for tensor in tensors:
        name = tensor.name.removeprefix(_PREFIX)
        part = _PART.fullmatch(name)
        if part is None:
            whole[_plain(name)] = tensor
            continue
        module, depth = part["module"].removesuffix(".token_adapter"), 0
        while module.endswith(_WRAPPER):
            module, depth = module.removesuffix(_WRAPPER), depth + 1
        own = modules.setdefault((module, depth), ModuleParts(module, depth))
        kind = part["rows"] or part["kind"]
        own.tensors[f"{kind}.bias" if part["end"] == ".bias" else kind] = tensor
    return StoredParts(tuple(modules.values()), whole)


def _plain(name: str) -> str:
    for wrapper in _WHOLE:
        name = name.replace(wrapper, ".")
    return name
