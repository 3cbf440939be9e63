"""Files that are themselves: in a folder of a group, one of it can put a link to somebody else's
file where one is about to be read or written, or a pipe that makes whoever opens it wait."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


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
