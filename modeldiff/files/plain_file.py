"""Files that are themselves: in a folder of a group, one of it can put a link to somebody else's
file where one is about to be read or written, or a pipe that makes whoever opens it wait."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_LARGEST = 1 << 30
"""Bytes of one file of the cache; a sparse one of terabytes costs its owner nothing."""


def require_plain(path: Path, descriptor: int | None = None) -> None:
    """Raise ``OSError`` where there is something at ``path`` that is no regular file, a link to one
    included; with a ``descriptor`` that was opened there, also where it is of another file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        if descriptor is None:
            return
        raise
    opened = status if descriptor is None else os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not os.path.samestat(status, opened):
        raise OSError(errno.EINVAL, "There is something else in place of a file", str(path))


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """A regular file, opened for reading; a link is followed, and a pipe is not waited for. Raises
    ``OSError`` where there is none."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "There is something else in place of a file", str(path))
        yield file


def read_plain(path: Path) -> bytes:
    """All of a regular file of the cache, as ``open_plain`` opens it. Raises ``OSError``, also for
    one that is larger than anything that is kept there."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read(size)


def is_linked_by_others(folder: Path, steps: int) -> bool:
    """Whether ``folder`` or one of the ``steps`` - 1 folders around it is a link that belongs
    neither to this user nor to root: what lies behind it is elsewhere, and not theirs to offer."""
    if not hasattr(os, "geteuid"):
        return False
    own = (0, os.geteuid())
    return any(
        step.is_symlink() and step.lstat().st_uid not in own
        for step in (folder, *folder.parents)[:steps]
    )
