"""Files that nobody but this user can have written: where code is kept that a process loads."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_LINKS = 40
"""As many as Linux follows before it calls a path a loop."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_private(path: Path) -> bool:
    """Whether only this user and root can change the file or folder that ``path`` leads to.

    Each folder and link on the way counts as much as the end of it: who can rename a folder can put
    another in its place. A sticky folder (``/tmp``) may be writable by all, for there one cannot
    replace what others made. An access list shows as the group's rights. On a system whose files
    have no such owners (Windows), the answer is yes. What isn't there is not private.
    """
    if not hasattr(os, "geteuid"):
        return True
    try:
        return all(_only_ours(step.lstat()) for step in _steps(path))
    except OSError:
        return False


def make_private_folder(path: Path) -> bool:
    """Make the folder ``path`` if need be, closed to others, and say whether it is private."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return is_private(path)


def _only_ours(status: os.stat_result) -> bool:
    if status.st_uid not in (0, os.geteuid()):
        return False
    if stat.S_ISLNK(status.st_mode):  # its mode says nothing; the folder that holds it is checked
        return True
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return True
    return not status.st_mode & _OTHERS_WRITE


def _steps(path: Path) -> Iterator[Path]:
    """All folders and links that the system passes on the way to ``path``, and its end."""
    absolute = path.absolute()
    here = Path(absolute.anchor)
    yield here
    left = [*reversed(absolute.parts[1:])]
    links = 0
    while left:
        name = left.pop()
        if name == "..":
            here = here.parent
            continue
        here /= name
        yield here
        if here.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            target = here.readlink()
            here = Path(target.anchor) if target.is_absolute() else here.parent
            left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
