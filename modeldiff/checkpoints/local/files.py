"""Reading files of this machine without trusting them, and knowing when they change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from modeldiff.checkpoints.checkpoint import FetchProgress
from modeldiff.checkpoints.formats.safetensors import header_bytes
from modeldiff.checkpoints.local.allowed_paths import require_inside
from modeldiff.errors import (
    AccessDenied,
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    UnsupportedFormat,
)

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class FileState:
    """What tells whether a file is still the one that was read: size in bytes, time of the last
    change in nanoseconds, and which file of its disk it is.

    ``ctime_ns`` tells files apart whose other times were set; it does not count when a state is
    compared with a later one, because a change of permissions moves it.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = field(compare=False)


@contextmanager
def translating_os_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about ``path`` into ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointNotFound(
            f"There is no {path}.", hint="Check the spelling and that its disk is mounted."
        ) from error
    except PermissionError as error:
        raise AccessDenied(
            f"{path} may not be read by this user.",
            hint="Change its permissions, or run as a user who may read it.",
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check that the path is right and that its disk works.",
        ) from error


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, FileState]]:
    """Open a regular file for reading, and nothing else: a pipe or device would block or worse.

    Raises ``CheckpointNotFound``, ``AccessDenied``, ``UnsupportedFormat``, ``CheckpointError``.
    """
    with translating_os_errors(path):
        _require_regular(path.stat(), path)
        # Checked again once open, and opened so that a pipe put there meanwhile can't block.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _O_BINARY)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            _require_regular(status, path)
            yield file, _state(status)


def read_header(path: Path) -> tuple[bytes, FileState]:
    """A safetensors file's header, the eight bytes of its length included, and the file's state.

    Raises what ``open_regular`` and ``header_bytes`` raise.
    """
    with open_regular(path) as (file, state):
        start = _read(file, min(state.size, 64), path)
        length = header_bytes(start, state.size, str(path))
        return (start + _read(file, length - len(start), path))[:length], state


def read_small_file(path: Path, limit: int) -> bytes:
    """A whole file of at most ``limit`` bytes. Raises ``DamagedCheckpoint`` for a larger one."""
    with open_regular(path) as (file, state):
        if state.size > limit:
            raise DamagedCheckpoint(
                f"{path} has {state.size:,} bytes, too many for what it should hold.",
                hint="Check that it is the right file.",
            )
        return _read(file, state.size, path)


@dataclass(frozen=True)
class LocalStorage:
    """Files of one folder of this machine: ``paths`` and ``states`` by file name, as they were at
    opening."""

    folder: Path
    paths: Mapping[str, Path]
    states: Mapping[str, FileState]

    def fetch(self, file: str, progress: FetchProgress | None = None) -> Path:
        """The file's path. Raises ``CheckpointChanged`` when it isn't the file that was opened."""
        path = self.paths[file]
        try:
            unchanged = _state(path.stat()) == self.states[file]
        except OSError:
            unchanged = False
        if not unchanged:
            raise CheckpointChanged(
                f"{path} was changed, replaced or removed after it was opened.",
                hint="Wait until nothing writes to it any more, then open it again.",
            )
        return path

    def is_local(self, file: str) -> bool:
        """True: there is nothing to download."""
        return True

    def read_beside(self, name: str, limit: int) -> bytes:
        """Read now, whatever it was at opening. Raises as ``require_inside`` and
        ``read_small_file`` do."""
        require_inside(self.folder, name)
        return read_small_file(self.folder / name, limit)


_O_BINARY = getattr(os, "O_BINARY", 0)  # on Windows, bytes as they are


def _read(file: BinaryIO, count: int, path: Path) -> bytes:
    """Exactly ``count`` bytes. Memory grows with what is there, not with what is asked for."""
    parts = []
    while count > 0:
        part = file.read(min(count, 1 << 20))
        if not part:
            raise CheckpointChanged(
                f"{path} shrank while it was read.",
                hint="Wait until nothing writes to it any more, then open it again.",
            )
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnsupportedFormat(
            f"{path} is {kind}, not a regular file.",
            hint="Give a folder with safetensors files or one .safetensors file.",
        )
