"""What identifies a checkpoint's content without reading its weights.

Local files: names, headers' hashes, sizes, times, which files of their disk they are, and a hash
of a few blocks of each. Two models of one shape have equal headers and sizes, and an archive or a
build may set equal modification times, so a copy counts as another checkpoint: to measure it again
costs time, to show another pair's result would be wrong. The blocks tell a file that was written
in place and got its time back. A folder that was renamed keeps its fingerprint, as do files whose
permissions change or that get another hard link. Hub files: the commit and the blobs' hashes.
Files in stores: the address, sizes, headers and ETags, which tell versions of one file apart, and
not always files. The config's content counts in all, because how tensors are paired may depend on
it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from modeldiff.checkpoints.source import FileHead


def local_fingerprint(
    heads: Mapping[str, FileHead], samples: Mapping[str, str], config: bytes | None
) -> str:
    """Of this machine's files, by name, as are the hashes of their sampled blocks; their identities
    are (mtime in ns, inode)."""
    files = [
        (file, head.sha256, head.stat.size, *head.stat.identity, samples[file])
        for file, head in heads.items()
    ]
    return f"local:{_digest(files, config)}"


def hub_fingerprint(commit: str, heads: Mapping[str, FileHead], config: bytes | None) -> str:
    """Of a commit's files, by name; their identities are (the blob's hash or ``""``,)."""
    files = [(file, head.stat.size, *head.stat.identity) for file, head in heads.items()]
    return f"hub:{commit}:{_digest(files, config)[:16]}"


def store_fingerprint(address: str, heads: Mapping[str, FileHead], config: bytes | None) -> str:
    """Of a store's files, by name, below an address; their identities are (ETag,)."""
    files = [
        (address, file, head.sha256, head.stat.size, *head.stat.identity)
        for file, head in heads.items()
    ]
    return f"store:{_digest(files, config)}"


def with_tag(fingerprint: str, tag: str) -> str:
    """The fingerprint of what the reference's ``tag`` chose among the same files; without a tag as
    it is."""
    return f"{fingerprint}:{sha256(tag.encode())[:16]}" if tag else fingerprint


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _digest(files: Iterable[tuple[object, ...]], config: bytes | None) -> str:
    config_digest = None if config is None else sha256(config)
    return sha256(json.dumps([sorted(files), config_digest]).encode())
