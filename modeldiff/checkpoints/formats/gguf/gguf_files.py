"""GGUF: one file, or several that a model was split into; of several models the one of a tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.gguf.config import ModelMetadata
from modeldiff.checkpoints.formats.gguf.converted import conversion_of
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.formats.gguf.header import MAGIC, GgufHeader, parse_gguf
from modeldiff.checkpoints.formats.gguf.sets import (
    SUFFIX,
    choose_set,
    gguf_sets,
    parts_metadata_mismatch,
    refuse_missing,
    split_files,
)
from modeldiff.checkpoints.formats.gguf.tensors import EMBEDDING, HEAD, TensorReader
from modeldiff.checkpoints.formats.stand_ins import LOOKED_AT, refuse_stand_in
from modeldiff.checkpoints.formats.weight_files import refuse_tag
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import CheckpointError, DamagedCheckpoint, NoWeights, placing_errors
from modeldiff.text.quoting import listed, quoted


@dataclass(frozen=True)
class Gguf:
    """The format of llama.cpp. Names, rows and config come out in transformers' terms."""

    name: str = "gguf"
    signatures: tuple[bytes, ...] = (MAGIC,)

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it. A named file is told by its first bytes, whatever its name; in a
        folder safetensors files come first, unless a tag is asked for."""
        tag = source.reference.tag
        if source.named:
            return self._of_file(source)
        names = source.list()
        if not tag and any(n.endswith(".safetensors") and "/" not in n for n in names):
            return None
        chosen = choose_set(names, tag, source.where())
        if chosen is None:
            return None
        rest = [each.tag for each in gguf_sets(names) if each.files != chosen.files]
        beside = f"Other GGUF files beside these were left aside: {listed(rest)}."
        return FileSet(chosen.files, None, (beside,) if rest else ())

    def _of_file(self, source: Source) -> FileSet | None:
        file = source.named
        if file.lower().endswith(SUFFIX):
            refuse_tag(source)
        if not file.lower().endswith(SUFFIX):
            if file.endswith((".safetensors", ".json")):
                return None
            try:
                start, _ = source.read(file, 0, len(MAGIC))
            except CheckpointError:
                return None  # another format says what is wrong with it
            return FileSet((file,)) if start == MAGIC else None
        files = split_files(file)
        missing = [part for part in files if not source.has(part)]
        if missing:
            refuse_missing(files, missing, source.where(file))
        return FileSet(files)

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        where = source.where(source.named)
        budget = OpeningBudget(where)
        budget.take_files(len(files.files))
        headers = {file: _read_header(source, file, budget) for file in files.files}
        with budget.timed():
            return _assemble(headers, where)


def _read_header(source: Source, file: str, budget: OpeningBudget) -> GgufHeader:
    where = source.where(file)
    with placing_errors(path=source.path(file)):
        start, _ = source.read(file, 0, LOOKED_AT)
        refuse_stand_in(start, where)
        with budget.timed():
            header = parse_gguf(HeaderCursor(source, file, budget), where)
        budget.take_tensors([tensor.name for tensor in header.tensors])
    return header


def _assemble(headers: Mapping[str, GgufHeader], where: str) -> Assembly:
    files = tuple(headers)
    first = headers[files[0]]
    _require_one_split(headers, where)
    model = ModelMetadata(first.metadata, first.counts)
    converted = conversion_of(model.architecture, model.count("expert_count"))
    reader = TensorReader(converted, model)
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
    return Assembly(
        tuple(tensors.values()),
        model.words(),
        _warnings(model, has_names=converted.naming is not None, reader=reader),
        {file: header.head for file, header in headers.items()},
        config,
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
    if not has_names:
        called = quoted(model.architecture) if model.architecture else "that it does not say"
        warnings.append(
            f"Of llama.cpp's architecture {called} it is not known how it was converted: names, "
            "rows and norms are as they stand in the file."
        )
    if reader.left_in_pairs:
        warnings.append(
            "Rows of queries and keys stand in pairs, as llama.cpp turns them, and nothing counts "
            "the heads: they are compared as stored."
        )
    return tuple(warnings)
