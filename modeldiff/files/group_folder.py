"""Folders that a group works in: what one of its members makes there, the others can use, too.

A folder that its group may write to is meant so. What is made in it gets the group's rights,
whatever the process' umask withholds; in any other folder nothing changes.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_FILE = stat.S_IRGRP | stat.S_IWGRP
_FOLDER = stat.S_IRWXG


def make_group_folder(folder: Path) -> None:
    """Make ``folder`` and its parents where they are missing. Raises ``OSError``."""
    if folder.is_dir():
        return
    make_group_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    if is_of_group(folder.parent):
        parent = folder.parent.stat().st_mode
        _permit(folder, _FOLDER | (parent & stat.S_ISGID))


def permit_group(file: Path) -> None:
    """Let the group read and write ``file``, where it may write to the folder around it."""
    if is_of_group(file.parent):
        _permit(file, _FILE)


def is_of_group(folder: Path) -> bool:
    """Whether the folder's group may write to it."""
    try:
        return os.name == "posix" and bool(folder.stat().st_mode & stat.S_IWGRP)
    except OSError:
        return False


def _permit(path: Path, rights: int) -> None:
    """Add rights to a file of ours; those of others' files are theirs to give."""
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & rights != rights:
            path.chmod(mode | rights)
