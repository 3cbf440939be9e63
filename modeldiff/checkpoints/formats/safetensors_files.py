"""safetensors: one file, shards with an index, or shards known by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.adapters import adapter_beside, refuse_adapter
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.parallel_shards import refuse_parallel_shards
from modeldiff.checkpoints.formats.safetensors import Header, header_bytes, parse_header
from modeldiff.checkpoints.formats.shards import assemble
from modeldiff.checkpoints.formats.tied_heads import may_share_embedding
from modeldiff.checkpoints.formats.weight_files import (
    choose_weights,
    left_aside,
    read_index,
    refuse_tag,
    unread_folders,
)
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.errors import CheckpointChanged, CheckpointError, placing_errors
from modeldiff.processes.collector import collector_at_rest
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

_AT_ONCE = 8
"""Headers that are read at the same time: at the Hub each is a request."""
_FIRST_READ = 64 * 1024
"""Bytes that hold nearly every shard's header of the models that are published: one read each."""


@dataclass(frozen=True)
class Safetensors:
    """The format of safetensors files."""

    name: str = "safetensors"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it. A file that the reference names is taken whatever its name: its
        first bytes will tell."""
        if source.named:
            refuse_tag(source)
            return FileSet.of_named(source.named)
        names, tag = source.list(), source.reference.tag
        refuse_parallel_shards(names, source.where())
        refuse_adapter(source)
        chosen = choose_weights(names, source.where(), tag=tag)
        if chosen is None:
            return None
        files, index, warnings = read_index(source, chosen)
        if chosen.beside:
            warnings = (*warnings, _taken(source, files[0], chosen.beside))
        warnings = (*warnings, *left_aside(names, files))
        unread = tuple(map(quoted, unread_folders(names, files)))
        if adapter := adapter_beside(source):
            unread = (*unread, adapter)
            warnings = (
                *warnings,
                f"The folder also holds {adapter}. It was not applied: these are the weights "
                "beside it.",
            )
        return FileSet(files, index, warnings, unread)

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        budget = OpeningBudget(source.where(source.named))
        budget.take_files(len(files.files))
        read = dict(zip(files.files, _read_all(source, files.files, budget), strict=True))
        headers = {file: header for file, (header, _) in read.items()}
        shared = files.index is not None and may_share_embedding(source)
        with budget.timed(), collector_at_rest():
            assembly = assemble(headers, files.index, source.where(source.named), shared=shared)
        return replace(assembly, heads={file: head for file, (_, head) in read.items()})


def _taken(source: Source, file: str, index: str) -> str:
    """That the single file was taken where there is an index, too, and which is the older."""
    words = f"{file} was taken, as transformers takes it, and {index} was left aside"
    moments = _moments(source, (file, index))
    if len(set(moments)) < 2:
        return f"{words}."
    return f"{words}: they were last changed at {' and '.join(moments)}."


def _moments(source: Source, files: Sequence[str]) -> list[str]:
    """When files of this machine were last changed; empty where that is not known of them all."""
    if any(source.path(file) is None for file in files):
        return []
    try:
        times = [source.read(file, 0, 0)[1].modified_ns for file in files]
        moments = [datetime.fromtimestamp(time / 1e9, UTC) for time in times if time is not None]
    except (CheckpointError, OverflowError, ValueError, OSError):
        return []  # a link to nowhere, a time that no calendar has
    return [f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in moments]


def _read_all(
    source: Source, files: Sequence[str], budget: OpeningBudget
) -> list[tuple[Header, FileHead]]:
    if len(files) == 1:
        return [_read_header(source, files[0], budget)]
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(_AT_ONCE, len(files)))
    try:
        return list(pool.map(lambda file: _read_header(source, file, budget), files))
    finally:
        pool.shutdown(cancel_futures=True)


def _read_header(source: Source, file: str, budget: OpeningBudget) -> tuple[Header, FileHead]:
    """A file's header, and which bytes of the file that was."""
    where = source.where(file)
    with placing_errors(path=source.path(file)):
        start, stat = source.read(file, 0, _FIRST_READ)
        length = header_bytes(start, stat.size, where)
        budget.take_header(length)
        if length > len(start):
            start, again = source.read(file, 0, length)
            if again != stat or len(start) < length:
                raise CheckpointChanged(
                    f"{where} was changed while its header was read.",
                    hint="Wait until nothing writes to it any more, then open it again.",
                )
        raw = start[:length]
        with budget.timed(), collector_at_rest():
            header = parse_header(raw, file=file, file_size=stat.size, where=where)
        budget.take_tensors([tensor.name for tensor in header.tensors])
    return header, FileHead(stat, length, sha256(raw))
