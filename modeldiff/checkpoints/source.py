"""Where a checkpoint's files are, whatever they are: the seam below every format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from modeldiff.checkpoints.references import Reference
from modeldiff.errors import CheckpointError
from modeldiff.processes.late_dataclass import dataclass

FetchProgress = Callable[[int, int], None]
"""Called with (bytes here so far, bytes in all) while a file is brought here. May raise
``Cancelled`` to stop."""


@dataclass(frozen=True)
class FileStat:
    """The state of a file when something was read of it.

    ``size`` in bytes. ``identity`` tells whether it is still the same file: (time of the last
    change in nanoseconds, inode) of one of this machine, (blob's hash,) of one at the Hub, where
    ``""`` is a hash that is not known, (ETag,) of one in a store. The time that the system keeps
    of any change (ctime) is no part of it: a change of permissions and a new hard link move it,
    too.
    """

    size: int
    identity: tuple[int | str, ...]

    @property
    def modified_ns(self) -> int | None:
        """The time of the last change in nanoseconds; None for a file that is elsewhere."""
        first = self.identity[0] if self.identity else None
        return first if isinstance(first, int) else None


@dataclass(frozen=True)
class FileHead:
    """What opening read of a file: its first ``nbytes`` bytes, their SHA-256 in hex, and the
    file's state at that time."""

    stat: FileStat
    nbytes: int
    sha256: str


class ByteReader(Protocol):
    """One file's bytes, from wherever they are. Any thread may read, several at once."""

    def readinto(self, buffer: memoryview, offset: int) -> None:
        """Fill all of ``buffer`` (of bytes) with the file's bytes from byte ``offset`` on.

        Raises ``OSError`` when the disk fails, ``CheckpointChanged`` when the file is not what was
        opened or ends too early, and the errors of the Hub or the store where it is read over the
        network.
        """
        ...

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """These bytes, each range from a byte on and how many, are wanted next, in any order. Who
        has them far away begins to fetch them; where they are near, nothing happens."""
        ...

    def forget(self, offset: int, nbytes: int) -> None:
        """These bytes are not wanted again: no memory needs to hold them."""
        ...

    def verify(self) -> None:
        """Raise ``CheckpointChanged`` if the file is no longer the one that was opened."""
        ...

    def close(self) -> None:
        """Give back what is open. Reading again opens it again."""
        ...


class Source(Protocol):
    """The files that a reference names: a folder, a file in it, a repository.

    Names of files are relative paths with ``/``, from outside and not to be trusted: a source
    makes sure that none leads elsewhere.
    """

    @property
    def reference(self) -> Reference:
        """What a user typed."""
        ...

    @property
    def named(self) -> str:
        """The one file that the reference names; ``""`` where it names all that are there."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the source itself."""
        ...

    def where(self, file: str = "") -> str:
        """How messages name ``file``, or the source as a whole."""
        ...

    def path(self, file: str = "") -> Path | None:
        """Where ``file``, or the source as a whole, lies on this machine; None if it does not."""
        ...

    def list(self) -> Collection[str]:
        """The names of the files that may be the checkpoint."""
        ...

    def has(self, file: str) -> bool:
        """Whether there is something of that name, listed or not."""
        ...

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """``count`` bytes from byte ``start`` on (fewer where the file ends), and its state.

        For headers and the like: a few megabytes at most. Raises ``CheckpointError`` and what
        stands below it.
        """
        ...

    def read_small(self, file: str, limit: int) -> bytes:
        """A whole file that lies beside the weights, such as the tokenizer's.

        Raises ``CheckpointNotFound`` where there is none, ``DamagedCheckpoint`` where it has more
        than ``limit`` bytes, and what else stands below ``CheckpointError``.
        """
        ...

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """The same source, which reads weights of these files only while they are what ``heads``
        (by file name) says of them."""
        ...

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """What identifies the content of these files, with the config's bytes if there are any."""
        ...

    def explain(self, error: CheckpointError) -> CheckpointError:
        """``error``, raised because no set of weights is there or it is not whole, or a better one
        where the source knows why."""
        ...

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        """A reader of a pinned file; ``file`` is brought here first if the source does so.

        Raises ``CheckpointChanged`` when it is no longer the file that was opened, and the errors
        of the Hub where it has to be downloaded.
        """
        ...

    def bytes_to_download(self, file: str) -> int:
        """Bytes of a pinned file that ``reader`` would bring here first; 0: it returns at once."""
        ...
