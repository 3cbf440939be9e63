"""Small files that only save time and carry a hash of themselves: what is no longer what was
written counts as not there, before anything reads it."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from modeldiff.files.atomic import write_if_possible
from modeldiff.files.plain_file import read_plain, require_plain

_MAGIC = b"modeldiff sealed 1\n"
"""What a file begins with. One without it is of another version, and no harm."""
_HASH = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


def write_sealed(path: Path, content: bytes) -> bool:
    """Keep ``content`` at ``path``, and say whether it was written, as ``write_if_possible``."""
    return write_if_possible(path, _MAGIC + _digest(path, content) + content)


def read_sealed(path: Path) -> bytes | None:
    """What ``write_sealed`` kept at ``path``; None where there is nothing, or something else. A
    link or a pipe in its place is neither followed nor waited for; damage is logged."""
    try:
        require_plain(path)
        raw = read_plain(path)
    except OSError:
        return None
    if not raw.startswith(_MAGIC):
        return None
    digest, content = raw[len(_MAGIC) :][:_HASH], raw[len(_MAGIC) + _HASH :]
    if digest != _digest(path, content):
        _log.warning("%s is not what was written; it is made anew.", path)
        return None
    return content


def _digest(path: Path, content: bytes) -> bytes:
    """Of the name, too: what lies under another's name is not its content."""
    return hashlib.sha256(path.name.encode() + b"\0" + content).digest()
