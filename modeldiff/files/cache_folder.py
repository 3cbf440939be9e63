"""Where files are kept that only save time: they can be deleted at any moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder ``name`` in ``MODELDIFF_CACHE`` or the user's cache; it may not exist yet."""
    import platformdirs

    root = os.environ.get("MODELDIFF_CACHE") or platformdirs.user_cache_path("modeldiff")
    return Path(root) / name


def write_if_possible(path: Path, data: bytes) -> None:
    """Write a file that a reader sees whole or not at all; a full or read-only disk is no error."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)
