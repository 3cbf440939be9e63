"""A Parquet file that carries a hash of itself: damage is seen before anything reads the file.

Parquet's own checksums cover its pages and leave its footer open, and a reader that meets a
damaged footer may do anything. The format is read from its end (footer, the footer's length, a
magic word) and by offsets from its start, so nothing looks at what lies right before the footer.
There the seal stands::

    PAR1 data … | hash of all else (32) | hash of the footer (32) | footer  length  PAR1

Any reader of Parquet reads a sealed file. The footer's own hash lets it be read without the data.
The seal is against accidents: who can write the file can also seal it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from modeldiff.files.plain_file import open_plain

_MAGIC = b"PAR1"
_TAIL = 8
"""The footer's length (4 bytes, little-endian) and the magic word."""
_HASH = hashlib.sha256().digest_size
_LARGEST_FOOTER = 1 << 26
UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError),
    *(NotImplementedError, OverflowError, RecursionError),
)
"""What is raised where a file is not what was written. Arrow has errors of its own kinds, of the
first two it makes ``ValueError`` and ``OSError``, too; JSON within can be nested too deeply."""


def seal(content: bytes) -> bytes:
    """The bytes of a whole Parquet file with their seal; ``content`` has none."""
    start = len(content) - _TAIL - int.from_bytes(content[-_TAIL:-4], "little")
    data, footer = content[:start], content[start:]
    end = _digest(footer) + footer
    return data + _digest(data, end) + end


def check_seal(content: bytes) -> None:
    """Raise ``ValueError`` where the bytes of a file are not those that were sealed."""
    footer = _footer_size(content[-_TAIL:], len(content))
    start = len(content) - footer - 2 * _HASH
    data, digest, end = content[:start], content[start : start + _HASH], content[start + _HASH :]
    if _digest(data, end) != digest:
        raise ValueError("its content is not what was written")


def sealed_footer(file_size: int, read: Callable[[int, int], bytes]) -> bytes:
    """A Parquet file without data, which has the schema and metadata of a sealed file.

    ``file_size`` is that file's in bytes; ``read`` gives the bytes of it from a start, so many as
    its second argument says. Raises ``ValueError`` where the footer is not what was sealed, and
    what ``read`` raises.
    """
    start = max(0, file_size - _TAIL)
    footer_size = _footer_size(read(start, file_size - start), file_size)
    start = file_size - footer_size - _HASH
    end = read(start, file_size - start)
    digest, footer = end[:_HASH], end[_HASH:]
    if _digest(footer) != digest:
        raise ValueError("its footer is not what was written")
    return _MAGIC + footer


def sealed_footer_at(path: Path) -> bytes:
    """``sealed_footer`` of the file at ``path``. Raises ``OSError`` where it can't be read."""
    with open_plain(path) as file:

        def read(start: int, count: int) -> bytes:
            file.seek(start)
            return file.read(count)

        return sealed_footer(file.seek(0, 2), read)


def _footer_size(tail: bytes, file_size: int) -> int:
    """The bytes of the footer with its tail, within a file that also holds a seal."""
    size = int.from_bytes(tail[:4], "little") + _TAIL
    if tail[4:] != _MAGIC or size > min(_LARGEST_FOOTER, file_size - 2 * _HASH - len(_MAGIC)):
        raise ValueError("it is no sealed Parquet file")
    return size


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
