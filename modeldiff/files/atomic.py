"""Files that are there whole or not at all: one writer, and what is asked of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from modeldiff.files.group_folder import make_group_folder, permit_group


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that at every moment, come what may, it has its old or its new content.

    ``path`` is the file, in a folder that exists; ``content`` are all its bytes; ``mode`` are the
    permissions that it gets, less those that the process' umask withholds; if they are the group's,
    too, a folder of the group gets its way. A failure leaves nothing behind. Raises ``OSError``.
    """
    temporary = _temporary(path.parent)
    try:
        # A name that nobody used: what somebody put there is not followed, nor written over.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode & stat.S_IWGRP:
            permit_group(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_if_possible(path: Path, content: bytes, *, mode: int = 0o666) -> bool:
    """Write a file that only saves time, and say whether it was written.

    ``path`` is the file, whose folder is created if need be; ``content`` are all its bytes;
    ``mode`` are its permissions, as in ``write_atomically``. A full or read-only disk is no error,
    and leaves nothing behind.
    """
    try:
        make_group_folder(path.parent)
        write_atomically(path, content, mode=mode)
    except OSError:
        return False
    return True


def try_writing(folder: Path) -> None:
    """Raise the ``OSError`` that ``write_atomically`` would meet in ``folder``, if it would."""
    trial = _temporary(folder)
    trial.touch(exist_ok=False)
    trial.unlink()


def _temporary(folder: Path) -> Path:
    """A name in ``folder`` that nobody else uses, on another machine that shares it neither."""
    return folder / f".modeldiff-{os.urandom(8).hex()}.tmp"
