"""GGUF: one file, or several that a model was split into; of several models the one of a tag."""

from __future__ import annotations

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.formats.gguf.header import GgufHeader, parse_gguf
from modeldiff.checkpoints.formats.gguf.sets import (
    MAGIC,
    SUFFIX,
    choose_set,
    gguf_sets,
    refuse_missing,
    split_files,
)
from modeldiff.checkpoints.formats.stand_ins import LOOKED_AT, refuse_stand_in
from modeldiff.checkpoints.formats.weight_files import refuse_tag
from modeldiff.checkpoints.source import Source
from modeldiff.errors import CheckpointError, placing_errors
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed


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
        return FileSet(chosen.files, None, (beside,) if rest and not tag else ())

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
        # Recipes need NumPy, which opening files of another format must not wait for.
        from modeldiff.checkpoints.formats.gguf.assembly import assemble_gguf

        with budget.timed():
            return assemble_gguf(headers, where)


def _read_header(source: Source, file: str, budget: OpeningBudget) -> GgufHeader:
    where = source.where(file)
    with placing_errors(path=source.path(file)):
        start, _ = source.read(file, 0, LOOKED_AT)
        refuse_stand_in(start, where)
        with budget.timed():
            header = parse_gguf(HeaderCursor(source, file, budget), where)
        budget.take_tensors([tensor.name for tensor in header.tensors])
    return header
