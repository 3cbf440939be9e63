"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at every moment, come what may, it has its old or its new content.

    Raises ``OSError``.
    """
    temporary = _temporary(path.parent)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def try_writing(folder: Path) -> None:
    """Raise the ``OSError`` that ``write_atomically`` would meet in ``folder``, if it would."""
    trial = _temporary(folder)
    trial.touch()
    trial.unlink()


def _temporary(folder: Path) -> Path:
    """A name in ``folder`` that no other thread or process uses."""
    return folder / f".modeldiff-{os.getpid()}-{threading.get_ident()}.tmp"
