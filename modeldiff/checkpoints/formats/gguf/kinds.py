"""What a GGUF holds beside a language model: llama.cpp writes adapters, importance matrices and the
parts that see or hear in the same format, and says which in ``general.type``."""

from __future__ import annotations

from modeldiff.checkpoints.formats.gguf.metadata import Metadata
from modeldiff.errors import NoWeights, UnsupportedFormat

_TYPE, _ARCHITECTURE = "general.type", "general.architecture"


def refuse_other_kinds(metadata: Metadata, where: str) -> None:
    """Raise ``NoWeights`` for an importance matrix and ``UnsupportedFormat`` for an adapter: their
    tensors are no model's."""
    kind = metadata.get(_TYPE)
    if kind == "imatrix" or "imatrix.chunk_count" in metadata:
        raise NoWeights(
            f"{where} holds an importance matrix, by which quantisers weigh errors, and no weights.",
            hint="Give the .gguf file of the model.",
        )
    if kind == "adapter" or "adapter.type" in metadata:
        raise UnsupportedFormat(
            f"{where} is an adapter (LoRA) in llama.cpp's form, which is not read.",
            hint="Give the adapter as PEFT saved it, with its adapter_config.json: BASE + ADAPTER.",
        )


def part_of_a_model(metadata: Metadata) -> str:
    """That a file holds what sees or hears beside a language model, and not that model; empty of
    other files."""
    if metadata.get(_TYPE) != "mmproj" and metadata.get(_ARCHITECTURE) != "clip":
        return ""
    return (
        "The file holds the part that sees or hears beside a language model (a multimodal "
        "projector), and not that model."
    )
