"""A source that is no folder and no repository: files in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from modeldiff.checkpoints import ByteReader, FetchProgress, Reference
from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.source import FileHead, FileStat
from modeldiff.errors import CheckpointChanged, CheckpointError, CheckpointNotFound


@dataclass(frozen=True)
class MemoryFiles:
    """Files by name, whose identity is their content's hash."""

    files: dict[str, bytes]
    named: str = ""
    reference: Reference = field(default=Reference("folder", "memory:", "memory:"))
    warnings: tuple[str, ...] = ()

    def where(self, file: str = "") -> str:
        return f"memory:{file}"

    def path(self, file: str = "") -> Path | None:
        return None

    def list(self) -> Collection[str]:
        return tuple(self.files)

    def has(self, file: str) -> bool:
        return file in self.files

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        content = self.files[file]
        return content[start : start + count], FileStat(len(content), (sha256(content),))

    def read_small(self, file: str, limit: int) -> bytes:
        if file not in self.files:
            raise CheckpointNotFound(f"There is no {file} in memory.", hint="Put it there.")
        return self.files[file]

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        return self

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        return f"memory:{sorted((file, head.stat.identity) for file, head in heads.items())}"

    def explain(self, error: CheckpointError) -> CheckpointError:
        return error

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        return MemoryReader(self.files, file, self.files[file])

    def bytes_to_download(self, file: str) -> int:
        return 0


@dataclass
class MemoryReader:
    files: dict[str, bytes]
    file: str
    content: bytes

    def readinto(self, buffer: memoryview, offset: int) -> None:
        buffer[:] = self.content[offset : offset + len(buffer)]

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        pass

    def forget(self, offset: int, nbytes: int) -> None:
        pass

    def verify(self) -> None:
        if self.files.get(self.file) != self.content:
            raise CheckpointChanged(f"{self.file} is another.", hint="Open it again.")

    def close(self) -> None:
        pass
