"""What was read of Hub repositories, kept on disk.

Listings of repositories and the beginnings of their files: a few kilobytes that make the second
opening quick, and possible without a network; and the tokenizers whose texts somebody looked at. A
commit never changes, so nothing kept under one ever goes stale. A file that was damaged is read
anew: one bit of a header names other bytes of the weights. Weights are not here; they lie in
huggingface_hub's own cache.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.sealed_file import read_sealed, write_sealed

_FORM = "sealed"
"""Versions that keep files of another form have other names for them."""


def load(*key: str) -> bytes | None:
    """What was saved under ``key``; None where nothing was, or it is damaged."""
    return read_sealed(_path(key))


def save(data: bytes, *key: str) -> None:
    """Keep ``data`` under ``key``."""
    write_sealed(_path(key), data)


def _path(key: tuple[str, ...]) -> Path:
    """Keys are hashed: a name from outside never becomes a path."""
    hashed = hashlib.sha256(json.dumps((_FORM, *key)).encode())
    return cache_folder("hub") / hashed.hexdigest()
