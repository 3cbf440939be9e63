"""Where the members of a zip archive lie, as far as torch.save writes such: stored, not deflated.

The directory at the archive's end names each member, its size and where its own header is; the
data begins behind that. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.errors import DamagedCheckpoint
from modeldiff.processes.late_dataclass import dataclass

SIGNATURE = b"PK\x03\x04"
MAX_DIRECTORY = 32 << 20
"""Bytes of the longest directory that is read: 300,000 members."""

_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_MAX_COMMENT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. ``header`` is where its own header is, in bytes from the archive's
    start; ``stored`` says whether its bytes lie there as they are."""

    name: str
    header: int
    nbytes: int
    stored: bool


def members(archive: ByteRange) -> dict[str, Member]:
    """The members by name. Raises ``DamagedCheckpoint`` where the directory is cut off, too long or
    contradicts itself, and what ``ByteRange.read`` raises."""
    count, nbytes, begin = _directory(archive)
    if nbytes > MAX_DIRECTORY or count * _ENTRY.size > nbytes:
        raise damaged(archive, f"its directory of {count:,} files has {nbytes:,} bytes")
    directory = archive.read(begin, nbytes)
    by_name: dict[str, Member] = {}
    for member in _entries(directory, count, archive):
        if member.name in by_name:
            raise damaged(archive, f"{member.name!r:.80} stands in it twice")
        by_name[member.name] = member
    return by_name


def data_offset(archive: ByteRange, member: Member) -> int:
    """Where the member's bytes begin, from the archive's start. Raises ``DamagedCheckpoint``."""
    header = _LOCAL.unpack(archive.read(member.header, _LOCAL.size))
    begin = member.header + _LOCAL.size + header[-2] + header[-1]
    if header[0] != SIGNATURE or begin + member.nbytes > archive.size:
        raise damaged(archive, f"{member.name!r:.80} is not where its directory says")
    return int(begin)


def damaged(archive: ByteRange, what: str) -> DamagedCheckpoint:
    """The error that an archive is not as torch.save writes it."""
    return DamagedCheckpoint(
        f"{archive.where} is a damaged zip archive: {what}.",
        hint="Download or copy the file again.",
    )


def _directory(archive: ByteRange) -> tuple[int, int, int]:
    """(Members, bytes, begin) of the directory."""
    tail_bytes = min(archive.size, _END.size + _MAX_COMMENT)
    # The comment is empty where torch wrote: a short read suffices, and the long one is for others.
    for count in (min(archive.size, _END.size + _LOCATOR_64.size), tail_bytes):
        tail = archive.read(archive.size - count, count)
        at = tail.rfind(b"PK\x05\x06")
        if at >= 0 and len(tail) - at >= _END.size:
            break
    else:
        raise damaged(archive, "its directory is missing, as in a file that is cut off")
    _, _, _, _, entries, nbytes, begin, _ = _END.unpack_from(tail, at)
    if entries == _FULL_16 or nbytes == _FULL_32 or begin == _FULL_32:
        end = archive.size - len(tail) + at
        signature, _, begin_64, _ = _LOCATOR_64.unpack(
            archive.read(end - _LOCATOR_64.size, _LOCATOR_64.size)
        )
        if signature == b"PK\x06\x07":
            record = _END_64.unpack(archive.read(begin_64, _END_64.size))
            if record[0] != b"PK\x06\x06":
                raise damaged(archive, "its directory is not where it says")
            entries, nbytes, begin = record[7:10]
    return entries, nbytes, begin


def _entries(directory: bytes, count: int, archive: ByteRange) -> Iterator[Member]:
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise damaged(archive, "its directory is cut off")
        entry = _ENTRY.unpack_from(directory, at)
        signature, method, packed, nbytes = entry[0], entry[4], entry[8], entry[9]
        name_bytes, extra_bytes, comment_bytes, header = entry[10], entry[11], entry[12], entry[16]
        at += _ENTRY.size
        name = directory[at : at + name_bytes].decode("utf-8", "replace")
        extra = directory[at + name_bytes : at + name_bytes + extra_bytes]
        at += name_bytes + extra_bytes + comment_bytes
        if signature != b"PK\x01\x02":
            raise damaged(archive, "its directory is no directory")
        nbytes, packed, header = _wide(extra, nbytes, packed, header)
        yield Member(name, header, nbytes, method == 0 and packed == nbytes)


def _wide(extra: bytes, *fields: int) -> tuple[int, ...]:
    """The fields with those that did not fit into 32 bits taken from the ``extra`` record."""
    at = 0
    wide: list[int] = []
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            numbers = extra[at + 4 : at + 4 + length]
            wide = [
                whole for (whole,) in struct.iter_unpack("<Q", numbers[: len(numbers) // 8 * 8])
            ]
        at += 4 + length
    rest = iter(wide)
    return tuple(next(rest, field) if field == _FULL_32 else field for field in fields)
