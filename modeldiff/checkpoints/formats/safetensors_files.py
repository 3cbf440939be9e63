"""safetensors: one file, shards with an index, or shards known by their names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.safetensors import Header, header_bytes, parse_header
from modeldiff.checkpoints.formats.shards import assemble
from modeldiff.checkpoints.formats.weight_files import (
    MAX_INDEX_BYTES,
    choose_weights,
    left_aside,
    parse_index,
    require_present,
)
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.errors import CheckpointChanged, placing_errors

_AT_ONCE = 8
"""Headers that are read at the same time: at the Hub each is a request."""
_FIRST_READ = 64 * 1024
"""Bytes that hold nearly every shard's header of the models that are published: one read each."""


@dataclass(frozen=True)
class Safetensors:
    """The format of safetensors files."""

    name: str = "safetensors"

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it. A file that the reference names is taken whatever its name: its
        first bytes will tell."""
        if source.named:
            return FileSet((source.named,))
        names = source.list()
        chosen = choose_weights(names, source.where())
        if chosen is None:
            return None
        files, index = chosen.files, None
        if chosen.index:
            with placing_errors(path=source.path(chosen.index)):
                raw = source.read_small(chosen.index, MAX_INDEX_BYTES)
                index = parse_index(raw, source.where(chosen.index))
            files = index.files
            require_present(files, list(filter(source.has, files)), source.where())
        return FileSet(files, index, (*chosen.warnings, *left_aside(names, files)))

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        read = dict(zip(files.files, _read_all(source, files.files), strict=True))
        headers = {file: header for file, (header, _) in read.items()}
        assembly = assemble(headers, files.index, source.where(source.named))
        return replace(assembly, heads={file: head for file, (_, head) in read.items()})


def _read_all(source: Source, files: Sequence[str]) -> list[tuple[Header, FileHead]]:
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(files)))
    try:
        return list(pool.map(lambda file: _read_header(source, file), files))
    finally:
        pool.shutdown(cancel_futures=True)


def _read_header(source: Source, file: str) -> tuple[Header, FileHead]:
    """A file's header, and which bytes of the file that was."""
    where = source.where(file)
    with placing_errors(path=source.path(file)):
        start, stat = source.read(file, 0, _FIRST_READ)
        length = header_bytes(start, stat.size, where)
        if length > len(start):
            start, again = source.read(file, 0, length)
            if again != stat or len(start) < length:
                raise CheckpointChanged(
                    f"{where} was changed while its header was read.",
                    hint="Wait until nothing writes to it any more, then open it again.",
                )
        raw = start[:length]
        header = parse_header(raw, file=file, file_size=stat.size, where=where)
    return header, FileHead(stat, length, sha256(raw))
