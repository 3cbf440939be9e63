"""PyTorch's files: ``pytorch_model.bin`` and its shards, and what a training run saves.

Nothing in them is run: see ``pickle_machine``. Values are read where they lie in the file.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.adapters import adapter_beside
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.pytorch.archive import Archive, read_archive
from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.checkpoints.formats.pytorch.calls import dangerous_calls
from modeldiff.checkpoints.formats.pytorch.state_dicts import (
    StateDict,
    choose,
    holds_optimizer,
    shown,
    state_dicts,
)
from modeldiff.checkpoints.formats.pytorch.stored_tensors import tensor_of
from modeldiff.checkpoints.formats.safetensors import Header
from modeldiff.checkpoints.formats.shards import assemble
from modeldiff.checkpoints.formats.stand_ins import LOOKED_AT, refuse_stand_in
from modeldiff.checkpoints.formats.tied_heads import (
    may_share_embedding,
    tied_warning,
    without_aliases,
)
from modeldiff.checkpoints.formats.unsupported import is_training_state
from modeldiff.checkpoints.formats.weight_files import (
    PYTORCH,
    choose_weights,
    left_aside,
    read_index,
)
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.errors import NoWeights, placing_errors
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed, quoted


@dataclass(frozen=True)
class PyTorch:
    """The format of torch.save."""

    name: str = "PyTorch"
    signatures: tuple[bytes, ...] = (
        b"PK\x03\x04",
        *(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5)),
    )

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it. Where there are weights in safetensors, too, these are the same
        again, and older."""
        if source.named:
            return FileSet.of_named(source.named)
        names = [name for name in source.list() if not is_training_state(name)]
        chosen = choose_weights(names, source.where(), PYTORCH, source.reference.tag)
        if chosen is None:
            return None
        files, index, warnings = read_index(source, chosen)
        warnings = (*warnings, *left_aside(names, files, PYTORCH))
        unread = (quoted(adapter),) if (adapter := adapter_beside(source)) else ()
        return FileSet(files, index, warnings, unread)

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        budget = OpeningBudget(source.where(source.named))
        budget.take_files(len(files.files))
        headers: dict[str, Header] = {}
        heads: dict[str, FileHead] = {}
        warnings: list[str] = []
        tied: list[str] = []
        for file in files.files:
            headers[file], heads[file], names, words = _read_header(source, file, budget)
            warnings += words
            tied += names
        shared = files.index is not None and may_share_embedding(source)
        assembly = assemble(headers, files.index, source.where(source.named), shared=shared)
        return replace(
            assembly,
            heads=heads,
            warnings=(*warnings, *assembly.warnings),
            tied=tuple(dict.fromkeys(tied)),
        )


def _read_header(
    source: Source, file: str, budget: OpeningBudget
) -> tuple[Header, FileHead, list[str], list[str]]:
    """A file's tensors, which bytes of the file said so, names of the embedding's own bytes, and
    warnings."""
    where, tag = source.where(file), source.reference.tag if source.named else ""
    with placing_errors(path=source.path(file)):
        data = ByteRange.whole(source, file)
        refuse_stand_in(data.read(0, min(LOOKED_AT, data.size)), where)
        with budget.timed():
            archive = read_archive(data)
            parts = state_dicts(archive.root)
            if not parts:
                raise _no_weights(archive, where)
            part = choose(parts, tag, where)
            tensors, tied = without_aliases(
                tensor_of(record, name, archive, where) for name, record in part.tensors.items()
            )
        budget.take_header(archive.head_bytes)
        header = Header(tensors, part.settings, archive.head_bytes)
        budget.take_tensors([tensor.name for tensor in header.tensors])
        head = FileHead(data.stat, archive.head_bytes, sha256(data.read(0, archive.head_bytes)))
    return header, head, tied, _warnings(tag, archive, parts, part, tied)


def _no_weights(archive: Archive, where: str) -> NoWeights:
    if holds_optimizer(archive.root):
        return NoWeights(
            f"{where} holds the state of an optimizer, and no weights of a model.",
            hint="Give the file or folder beside it that has the weights; of DeepSpeed's files the "
            "folder that they are in.",
        )
    return NoWeights(
        f"{where} holds no tensors that can be read.",
        hint="Check that this is the file that was meant.",
    )


def _warnings(
    named: str, archive: Archive, parts: dict[str, StateDict], part: StateDict, tied: list[str]
) -> list[str]:
    """What is to be said of a file; ``named`` is the part of it that was asked for, if any."""
    words = list(dangerous_calls(archive.names))
    others = [shown(path) for path in parts if path != part.path]
    if others and not named:
        words.append(
            f"The file also holds {listed(sorted(others))}. {quoted(shown(part.path))} "
            "was taken; give another one behind the file's name and a colon."
        )
    if part.foreign:
        words.append(
            f"Not read, as they are stored sparse, quantised by torch or as NumPy's: "
            f"{listed(part.foreign)}."
        )
    return [*words, *tied_warning(tied)]
