"""What was read of Hub repositories, kept on disk.

Listings of repositories and the beginnings of their files: a few kilobytes that make the second
opening quick, and possible without a network. A commit never changes, so nothing kept under one
ever goes stale. Weights are not here; they lie in huggingface_hub's own cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

import platformdirs


def load(*key: str) -> bytes | None:
    """What was saved under ``key``, or None."""
    try:
        return _path(key).read_bytes()
    except OSError:
        return None


def save(data: bytes, *key: str) -> None:
    """Keep ``data`` under ``key``, whole or not at all; where nothing can be written, not at all."""
    path = _path(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)


def _path(key: tuple[str, ...]) -> Path:
    """Keys are hashed: a name from outside never becomes a path."""
    folder = os.environ.get("MODELDIFF_CACHE") or platformdirs.user_cache_path("modeldiff")
    return Path(folder) / "hub" / hashlib.sha256(json.dumps(key).encode()).hexdigest()
