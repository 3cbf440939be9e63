"""Reading files of this machine without trusting them, and knowing when they change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from modeldiff.checkpoints.source import FileStat
from modeldiff.errors import (
    AccessDenied,
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    UnsupportedFormat,
    placing_errors,
)

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def translating_os_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about ``path`` into ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointNotFound(
            f"There is no {path}.",
            hint="Check the spelling and that its disk is mounted.",
            path=path,
        ) from error
    except PermissionError as error:
        raise AccessDenied(
            f"{path} may not be read by this user.",
            hint="Change its permissions, or run as a user who may read it.",
            path=path,
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check that the path is right and that its disk works.",
            path=path,
        ) from error


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, FileStat]]:
    """Open a regular file for reading, and nothing else: a pipe or device would block or worse.

    Raises ``CheckpointNotFound``, ``AccessDenied``, ``UnsupportedFormat``, ``CheckpointError``.
    """
    with placing_errors(path=path), translating_os_errors(path):
        _require_regular(path.stat(), path)
        # Checked again once open, and opened so that a pipe put there meanwhile can't block.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _O_BINARY)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            _require_regular(status, path)
            yield file, _stat(status)


def file_stat(path: Path) -> FileStat:
    """The state of what is at ``path``, links followed. Raises ``OSError`` where there is nothing
    or it may not be looked at."""
    return _stat(path.stat())


def read_file_range(path: Path, start: int, count: int) -> tuple[bytes, FileStat]:
    """``count`` bytes from byte ``start`` on, fewer where the file ends, and the file's state.

    Raises what ``open_regular`` raises, and ``CheckpointChanged`` where it shrinks meanwhile.
    """
    with open_regular(path) as (file, state):
        file.seek(start)
        return read_exactly(file, max(min(count, state.size - start), 0), path), state


def read_small_file(path: Path, limit: int) -> bytes:
    """A whole file of at most ``limit`` bytes. Raises ``DamagedCheckpoint`` for a larger one."""
    with open_regular(path) as (file, state):
        if state.size > limit:
            raise DamagedCheckpoint(
                f"{path} has {state.size:,} bytes, too many for what it should hold.",
                hint="Check that it is the right file.",
            )
        return read_exactly(file, state.size, path)


_O_BINARY = getattr(os, "O_BINARY", 0)  # on Windows, bytes as they are


def read_exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    """``count`` bytes from where the open ``file`` stands; ``path`` is for messages. Memory grows
    with what is there, not with what is asked for. Raises ``CheckpointChanged`` at a file's end."""
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


def _stat(status: os.stat_result) -> FileStat:
    return FileStat(status.st_size, (status.st_mtime_ns, status.st_ino))


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnsupportedFormat(
            f"{path} is {kind}, not a regular file.",
            hint="Give a folder with safetensors files or one .safetensors file.",
        )
