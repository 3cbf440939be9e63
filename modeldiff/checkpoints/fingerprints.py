"""What identifies a checkpoint's content without reading its weights.

Local files: names, headers' hashes, sizes, times and which files of their disk they are. Two
models of one shape have equal headers and sizes, and an archive or a build may set equal
modification times, so a copy counts as another checkpoint: to measure it again costs time, to
show another pair's result would be wrong. A folder that was renamed keeps its fingerprint. Hub
files: the commit and the blobs' hashes. The config's content counts in both, because how tensors
are paired may depend on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable


def local_fingerprint(
    files: Iterable[tuple[str, str, int, int, int, int]], config: bytes | None
) -> str:
    """``files``: (name, SHA-256 of the header in hex, size in bytes, mtime and ctime in ns, inode)
    of each file."""
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
