"""What was read of Hub repositories, kept on disk.

Listings of repositories and the beginnings of their files: a few kilobytes that make the second
opening quick, and possible without a network; and the tokenizers whose texts somebody looked at. A
commit never changes, so nothing kept under one ever goes stale. Weights are not here; they lie in
huggingface_hub's own cache.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from modeldiff.files.atomic import write_if_possible
from modeldiff.files.cache_folder import cache_folder


def load(*key: str) -> bytes | None:
    """What was saved under ``key``, or None."""
    try:
        return _path(key).read_bytes()
    except OSError:
        return None


def save(data: bytes, *key: str) -> None:
    """Keep ``data`` under ``key``."""
    write_if_possible(_path(key), data)


def _path(key: tuple[str, ...]) -> Path:
    """Keys are hashed: a name from outside never becomes a path."""
    return cache_folder("hub") / hashlib.sha256(json.dumps(key).encode()).hexdigest()
