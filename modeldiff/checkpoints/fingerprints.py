"""What identifies a checkpoint's content without reading its weights.

Local files: names, headers' hashes, sizes and modification times. A folder that was moved or
copied with its times keeps its fingerprint; no absolute path is part of it. Hub files: the commit
and the blobs' hashes. The config's content counts in both, because how tensors are paired may
depend on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable


def local_fingerprint(files: Iterable[tuple[str, str, int, int]], config: bytes | None) -> str:
    """``files``: (name, SHA-256 of the header in hex, size in bytes, mtime in ns) of each file."""
    return f"local:{_digest(files, config)}"


def hub_fingerprint(
    commit: str, files: Iterable[tuple[str, int, str]], config: bytes | None
) -> str:
    """``files``: (name, size in bytes, the blob's hash or ``""`` if not known) of each file."""
    return f"hub:{commit}:{_digest(files, config)[:16]}"


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _digest(files: Iterable[tuple[object, ...]], config: bytes | None) -> str:
    config_digest = None if config is None else sha256(config)
    return sha256(json.dumps([sorted(files), config_digest]).encode())
