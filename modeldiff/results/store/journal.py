"""The journal of a diff that runs: what was measured so far, one line a tensor.

It lies beside the result that it will become. Each line is handed to the system as soon as its
tensor is done, so a killed process loses the tensor in flight and nothing else. (A power cut may
also lose the last seconds: lines are not forced to the disk one by one.) The first line says which
question and which version of modeldiff the rest belongs to; a journal of others starts anew. Lines
are a checksum and JSON, and numbers come back with the bits that they had. The checksum is over all
that stands before it, too: a journal that crossed networks and disks, as those of shards do, ends
where a line is not what was written, or not where it was written.

A shard of a diff has a journal of its own, of the same form. A finished one stays, for its lines
are what goes into the joint result.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from modeldiff._version import __version__
from modeldiff.changes.change import Change, Histogram, Pair, PairId, Statistics, Sums
from modeldiff.changes.engine.sharding import Shard
from modeldiff.changes.engine.work_units import unreadable
from modeldiff.errors import InvalidOption
from modeldiff.files.group_folder import permit_group
from modeldiff.files.plain_file import require_plain
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.store.folder import cannot_write

_log = logging.getLogger(__name__)
_LINES = 3
"""The form of the lines: those of another are not understood."""
_CHECKSUM = 9
_LONGEST_LINE = 1 << 22
"""Bytes; the longest that is written has a histogram of 2¹⁶ buckets, 0.9 MB."""
_STATISTICS = tuple(field.name for field in fields(Statistics))
_BUCKETS, _COUNTS = np.dtype("<u2"), np.dtype("<i8")


@dataclass(frozen=True)
class Entry:
    """One pair that was compared: its statistics, where it was measured, and for how many seconds
    the diff had then been running, all its runs together.

    Of a pair that could not be read ``statistics`` is None and ``reason`` says why.
    """

    statistics: Statistics | None
    device: str
    seconds: float
    reason: str = ""

    def change(self, pair: Pair) -> Change:
        """The row of ``pair``, which this is the entry of."""
        if self.statistics is None:
            return unreadable(pair, self.reason)
        return Change(pair, self.statistics)


def journal_path(folder: Path, key: str, shard: Shard | None = None) -> Path:
    """Where the journal of this key, or of one shard of it, lies in the folder of results."""
    which = f".shard-{shard.number}-of-{shard.count}" if shard else ""
    return folder / f"{key}{which}.journal"


def shard_called(name: str) -> Shard | None:
    """The shard whose journal is called so (``shard-3-of-8``); None where that names none."""
    numbers = re.fullmatch(r"shard-([0-9]{1,6})-of-([0-9]{1,6})", name)
    try:
        return Shard(number=int(numbers[1]), count=int(numbers[2])) if numbers else None
    except InvalidOption:
        return None


def journals_of(folder: Path, key: str) -> dict[Shard | None, Path]:
    """The journals of this key that lie in ``folder``: the whole diff's (None) first, then those
    of shards by count and number."""
    paths: dict[Shard, Path] = {}
    for path in folder.glob(f"{key}.shard-*.journal"):
        if (shard := shard_called(path.stem[len(key) + 1 :])) is not None:
            paths[shard] = path
    whole = journal_path(folder, key)
    return {**({None: whole} if whole.exists() else {}), **dict(sorted(paths.items()))}


def read_journal(path: Path, key: str) -> dict[PairId, Entry]:
    """The entries of a journal, which another process may be writing: nothing is changed.

    One of another version of modeldiff or another question, or that can't be read, has none, and a
    warning is logged.
    """
    try:
        entries, end, _ = _read(path, _head(key))
    except OSError as error:
        _log.warning("%s can't be read and is left out: %s", path, error)
        return {}
    if not end:
        _log.warning("%s is left out: it is no journal of modeldiff %s", path, __version__)
    return entries


def journal_fault(path: Path, key: str) -> str:
    """What is wrong with a journal of this version of modeldiff that nobody writes; empty where
    nothing is. Raises ``OSError``."""
    _, end, _ = _read(path, _head(key))
    if not end:
        return "it is of another question, or of another version"
    lost = path.stat().st_size - end
    return f"its last {lost:,} bytes are not what was written" if lost else ""


def journal_form(key: str) -> str:
    """What tells the journals of this key that this version can go on with from all others."""
    return f"{zlib.crc32(_head(key)):08x}"


def merge_journals(key: str, first: bytes, second: bytes) -> bytes:
    """The content of a journal of this ``key`` that goes on where ``first`` ends, the content of
    one, with what only ``second`` holds, that of another. Either may be empty, or torn."""
    head = _head(key)
    entries, end, checksum = _read_lines(io.BytesIO(first), head)
    content = bytearray(first[:end] or head)
    for pair, entry in _read_lines(io.BytesIO(second), head)[0].items():
        known = entries.get(pair)
        if known is None or (known.statistics is None and entry.statistics is not None):
            row = _row(pair, entry)
            checksum = zlib.crc32(row, checksum)
            content += _line(checksum, row)
    return bytes(content)


class JournalTail:
    """What another process adds to the journal at ``path``, of the question ``key``, while it
    measures. Each line is read once; nothing is changed."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._head = path, _head(key)
        self._end, self._checksum = 0, 0

    def read(self) -> dict[PairId, Entry]:
        """The entries that came since the last call. None while there is no journal, of another
        version or question, or it can't be read."""
        try:
            require_plain(self._path)
            with self._path.open("rb") as lines:
                if lines.seek(0, 2) < self._end:  # it was begun anew
                    self._end = 0
                if not self._end:
                    entries, self._end, self._checksum = _read(self._path, self._head)
                else:
                    entries, self._end, self._checksum = _read_on(lines, self._end, self._checksum)
                return entries
        except OSError:
            return {}


class Journal:
    """An open journal; ``entries`` is what earlier runs left in it, in their order.

    Raises ``ResultError`` where it can't be read or written.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        head = _head(key)
        try:
            self.entries, end, self._checksum = _read(path, head)
            self._file = path.open("ab", buffering=0)
            try:
                require_plain(path, self._file.fileno())
                permit_group(path)
                self._file.truncate(end)  # a torn line would spoil the next one
                if not end:
                    self._write(head)
            except OSError:
                self._file.close()
                raise
        except OSError as error:
            raise cannot_write(path, error) from error

    def append(self, pair: Pair, entry: Entry) -> None:
        """Add a line."""
        row = _row(pair.id, entry)
        try:
            checksum = zlib.crc32(row, self._checksum)
            self._write(_line(checksum, row))
            self._checksum = checksum
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def _write(self, content: bytes) -> None:
        """All of it: on a full disk, the system may take a part and call that no error."""
        while content:
            content = content[self._file.write(content) :]

    def remove(self) -> None:
        """Close and delete it: its result is stored. One that can't be deleted only takes room."""
        try:
            self._file.close()
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("The journal %s can't be deleted: %s", self._path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _head(key: str) -> bytes:
    head = {"journal": key, "version": __version__, "lines": _LINES}
    return json.dumps(head).encode() + b"\n"


def _row(pair: PairId, entry: Entry) -> bytes:
    """What a line says of a pair."""
    return json.dumps({"pair": pair, **_plain(entry)}).encode()


def _line(checksum: int, row: bytes) -> bytes:
    """A line: the CRC-32 of the journal up to and with ``row``, a space, and ``row``, its JSON."""
    return b"%08x %b\n" % (checksum, row)


def _read(path: Path, head: bytes) -> tuple[dict[PairId, Entry], int, int]:
    """The entries up to the first line that is torn or strange, how many bytes they fill, and the
    checksum there."""
    require_plain(path)
    if not path.exists():
        return {}, 0, zlib.crc32(head)
    with path.open("rb") as lines:
        return _read_lines(lines, head)


def _read_lines(lines: BinaryIO, head: bytes) -> tuple[dict[PairId, Entry], int, int]:
    """As ``_read``, of the bytes of a journal."""
    checksum = zlib.crc32(head)
    if lines.readline(len(head)) != head:
        return {}, 0, checksum
    return _read_on(lines, len(head), checksum)


def _read_on(lines: BinaryIO, end: int, checksum: int) -> tuple[dict[PairId, Entry], int, int]:
    """As ``_read``, of a journal that was read until ``end``, where its checksum was this one."""
    entries: dict[PairId, Entry] = {}
    lines.seek(end)
    while line := lines.readline(_LONGEST_LINE):
        row = line[_CHECKSUM:-1]
        next_checksum = zlib.crc32(row, checksum)
        if line != _line(next_checksum, row):
            break
        try:
            pair, entry = _entry(json.loads(row))
            entries[pair] = entry
        except (ValueError, TypeError, KeyError, RecursionError):
            break
        end += len(line)
        checksum = next_checksum
    return entries, end, checksum


def _plain(entry: Entry) -> dict[str, Any]:
    statistics = entry.statistics
    row: dict[str, Any] = {"device": entry.device, "seconds": entry.seconds}
    if statistics is None:
        return {**row, "reason": entry.reason}
    known = ((name, getattr(statistics, name)) for name in _STATISTICS)
    own: dict[str, Any] = {name: value for name, value in known if value is not None}
    if statistics.sums is not None:
        own["sums"] = asdict(statistics.sums)
    if (histogram := statistics.histogram) is not None:
        arrays = _text(histogram.buckets, _BUCKETS), _text(histogram.counts, _COUNTS)
        own["histogram"] = (histogram.zero, histogram.infinite, *arrays)
    return {**row, "statistics": own}


def _entry(line: Mapping[str, Any]) -> tuple[PairId, Entry]:
    tower, layer, component, parameter, expert, base, target = line["pair"]
    pair = (tower, layer, component, parameter, expert, base, target)
    if "statistics" not in line:
        return pair, Entry(None, line["device"], line["seconds"], line["reason"])
    fields = line["statistics"]
    if "sums" in fields:
        fields["sums"] = Sums(**fields["sums"])
    if "histogram" in fields:
        zero, infinite, buckets, counts = fields["histogram"]
        fields["histogram"] = Histogram(
            zero, infinite, _array(buckets, _BUCKETS), _array(counts, _COUNTS)
        )
    return pair, Entry(Statistics(**fields), line["device"], line["seconds"])


def _text(array: npt.NDArray[Any], kind: np.dtype[Any]) -> str:
    """An array in base64: many times as fast as its numbers in JSON, and shorter."""
    return base64.b64encode(array.astype(kind).tobytes()).decode()


def _array(text: str, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(text, validate=True), kind).astype(kind.newbyteorder("="))
