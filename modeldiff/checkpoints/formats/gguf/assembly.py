"""The headers of a model's GGUF files → its tensors, config and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from modeldiff.checkpoints.formats.format import Assembly
from modeldiff.checkpoints.formats.gguf.config import ModelMetadata
from modeldiff.checkpoints.formats.gguf.converted import conversion_of
from modeldiff.checkpoints.formats.gguf.header import GgufHeader
from modeldiff.checkpoints.formats.gguf.linear_attention import with_qkvz_joined
from modeldiff.checkpoints.formats.gguf.metadata import Metadata
from modeldiff.checkpoints.formats.gguf.sets import parts_metadata_mismatch
from modeldiff.checkpoints.formats.gguf.split_keys_values import with_keys_and_values_joined
from modeldiff.checkpoints.formats.gguf.tensors import EMBEDDING, HEAD, TensorReader
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import DamagedCheckpoint, NoWeights, UnsupportedFormat
from modeldiff.text.quoting import quoted

_TYPE, _ARCHITECTURE = "general.type", "general.architecture"
"""What tells a language model from the adapters, importance matrices and parts that see or hear
that llama.cpp writes in the same format."""


def assemble_gguf(headers: Mapping[str, GgufHeader], where: str) -> Assembly:
    """What the headers of a model's files, in order, say together. ``where`` names them in
    messages.

    Raises ``DamagedCheckpoint`` where they are not parts of one save, and ``NoWeights`` where they
    have no tensor.
    """
    files = tuple(headers)
    first = headers[files[0]]
    _require_one_split(headers, where)
    _refuse_other_kinds(first.metadata, where)
    model = ModelMetadata(first.metadata, first.counts)
    converted = conversion_of(model.architecture, model.count("expert_count"))
    names = (each.name for header in headers.values() for each in header.tensors)
    reader = TensorReader(converted, model, names)
    tensors: dict[str, TensorInfo] = {}
    stored = set()
    for file, header in headers.items():
        for each in header.tensors:
            if each.name in stored:
                raise DamagedCheckpoint(
                    f"{where}: tensor {quoted(each.name)} is in more than one part.",
                    hint="The parts are of different saves: download or split it again.",
                )
            stored.add(each.name)
            tensor = reader.read(each, file)
            if tensor.name in tensors:  # two names of llama.cpp that mean one of transformers
                tensor = replace(tensor, name=each.name)
            tensors[tensor.name] = tensor
    if not tensors:
        raise NoWeights(
            f"{where} holds no tensors.",
            hint="It may be a vocabulary alone: check that this is the file that was meant.",
        )
    embedding = next((t for h in headers.values() for t in h.tensors if t.name == EMBEDDING), None)
    config = model.config(
        converted.model_type,
        tied=embedding is not None and HEAD not in stored,
        vocabulary=embedding.shape[0] if embedding is not None and embedding.shape else 0,
    )
    tensors = with_keys_and_values_joined(tensors)
    if converted.parted_qkvz and reader.value_heads is not None:
        tensors = with_qkvz_joined(tensors, reader.value_heads)
    return Assembly(
        tuple(tensors.values()),
        model.words(),
        _warnings(model, has_names=converted.naming is not None, reader=reader),
        {file: header.head for file, header in headers.items()},
        config,
        {"hidden_act": converted.activation} if converted.activation else {},
    )


def _require_one_split(headers: Mapping[str, GgufHeader], where: str) -> None:
    total = len(headers)
    if total == 1:
        return
    for number, (file, header) in enumerate(headers.items()):
        if wrong := parts_metadata_mismatch(number, total, header.metadata):
            raise DamagedCheckpoint(
                f"{where}: {quoted(file)} is not the part that it should be: {wrong}.",
                hint="The parts are of different saves: download or split it again.",
            )
    promised = next(iter(headers.values())).metadata.get("split.tensors.count")
    there = sum(len(header.tensors) for header in headers.values())
    if type(promised) is int and promised != there:
        raise DamagedCheckpoint(
            f"{where}: the first part promises {promised:,} tensors and all parts hold {there:,}.",
            hint="The parts are of different saves: download or split it again.",
        )


def _warnings(model: ModelMetadata, *, has_names: bool, reader: TensorReader) -> tuple[str, ...]:
    warnings = []
    if part := _part_of_a_model(model.metadata):
        warnings.append(part)
    if not has_names and not model.architecture:
        warnings.append(
            "The file does not say which of llama.cpp's architectures it is of: names, rows and "
            "norms are as they stand in it."
        )
    elif not has_names:
        warnings.append(
            f"Of llama.cpp's architecture {quoted(model.architecture)} it is not known how it was "
            "converted: names, rows and norms are as they stand in the file."
        )
    if reader.left_in_pairs:
        warnings.append(
            "Rows of queries and keys stand in pairs, as llama.cpp turns them, and nothing counts "
            "the heads: they are compared as stored."
        )
    if reader.left_dealt_out:
        warnings.append(
            "Value heads of linear attentions stand as llama.cpp deals them out, and nothing "
            "counts them: their matrices are compared as stored."
        )
    return tuple(warnings)


def _refuse_other_kinds(metadata: Metadata, where: str) -> None:
    """Raise ``NoWeights`` for an importance matrix and ``UnsupportedFormat`` for an adapter: their
    tensors are no model's."""
    kind = metadata.get(_TYPE)
    if kind == "imatrix" or "imatrix.chunk_count" in metadata:
        raise NoWeights(
            f"{where} holds an importance matrix, by which quantisers weigh errors, and no "
            "weights.",
            hint="Give the .gguf file of the model.",
        )
    if kind == "adapter" or "adapter.type" in metadata:
        raise UnsupportedFormat(
            f"{where} is an adapter (LoRA) in llama.cpp's form, which is not read.",
            hint="Give the adapter as PEFT saved it, with its adapter_config.json: BASE + ADAPTER.",
        )


def _part_of_a_model(metadata: Metadata) -> str:
    """That a file holds what sees or hears beside a language model, and not that model; empty of
    other files."""
    if metadata.get(_TYPE) != "mmproj" and metadata.get(_ARCHITECTURE) != "clip":
        return ""
    return (
        "The file holds the part that sees or hears beside a language model (a multimodal "
        "projector), and not that model."
    )
