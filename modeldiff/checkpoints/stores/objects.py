"""The seam between a source and whoever has its files: an object store, a web server."""

from __future__ import annotations

from typing import Protocol

from modeldiff.checkpoints.source import FileStat


class Objects(Protocol):
    """Files below a folder at another machine. Any thread may ask.

    A file's identity is what its server says of this version, an ETag. Whatever goes wrong is
    raised as ``CheckpointNotFound``, ``AccessDenied``, ``StoreUnreachable``, ``CheckpointChanged``,
    in words that carry no credentials.
    """

    def list(self) -> tuple[str, ...]:
        """The names of the files that may be weights, as far as they can be listed."""
        ...

    def stat(self, name: str) -> FileStat:
        """A file's state now. Raises ``CheckpointNotFound`` where there is none."""
        ...

    def read(self, name: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """``count`` bytes from byte ``start`` on (fewer where the file ends), and its state."""
        ...

    def readinto(self, name: str, stat: FileStat, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` with the file's bytes from byte ``offset`` on. Raises
        ``CheckpointChanged`` where it is no longer in the state ``stat``."""
        ...
