"""The entries of a GGUF's metadata: numbers, texts, and arrays of either, kept up to a length."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import NoReturn

from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.text.quoting import quoted

_F32, _TEXT, _ARRAY = 6, 8, 9
_SCALARS = {
    number: struct.Struct(f"<{code}")
    for number, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_LARGE = 1e38
_U32, _U64 = _SCALARS[4], _SCALARS[10]

_LONGEST_NAME = 1_000
_LONGEST_TEXT = 1 << 20
_LONGEST_ARRAY = 4096
"""Longer ones, such as vocabularies, are stepped over."""
_MOST_KEPT = 1 << 19
_MOST_KEPT_BYTES = 16 << 20
"""Numbers and texts in arrays, and bytes of texts, that are kept of all entries."""
_MOST_TEXTS = 4_000_000
"""Texts that are stepped over: eight times as many as the largest vocabulary and its merges."""
NOT_WRITTEN_RIGHT = "The program that wrote the file did not follow the format: write it again."

Value = int | float | bool | str | tuple[int | float | bool | str, ...]
Metadata = Mapping[str, Value]


class MetadataReader:
    """Reads entries; what is long is stepped over, except arrays of the ``whole`` keys."""

    def __init__(self, cursor: HeaderCursor, whole: Collection[str] = ()) -> None:
        self._cursor, self._whole = cursor, whole
        self.metadata: dict[str, Value] = {}
        self.counts: dict[str, int] = {}
        self._kept = self._kept_bytes = self._texts = 0
        self._most, self._most_bytes = _MOST_KEPT, _MOST_KEPT_BYTES
        if whole:
            self._most, self._most_bytes = _MOST_TEXTS, 4 * _MOST_KEPT_BYTES

    def read_entry(self) -> None:
        """Read the next entry. Raises ``DamagedCheckpoint`` where it breaks the format."""
        cursor = self._cursor
        key = read_name(cursor, "an entry of its metadata")
        if key in self.metadata or key in self.counts:
            cursor.fail(f"its metadata has {quoted(key)} twice.", NOT_WRITTEN_RIGHT)
        kind = cursor.number(_U32)
        if kind == _ARRAY:
            self._read_array(key)
        elif kind == _TEXT:
            self.metadata[key] = self._text()
        elif kind in _SCALARS:
            self.metadata[key] = _shortest(cursor.number(_SCALARS[kind]), kind)
        else:
            self._refuse(key, kind)

    def _read_array(self, key: str) -> None:
        cursor = self._cursor
        kind, count = cursor.number(_U32), cursor.number(_U64)
        if kind not in _SCALARS and kind != _TEXT:
            self._refuse(key, kind)
        width = 8 if kind == _TEXT else _SCALARS[kind].size
        if count > cursor.left // width:
            cursor.fail(f"its metadata's {quoted(key)} is longer than the file.")
        self.counts[key] = count
        if count > _LONGEST_ARRAY and key not in self._whole:
            if kind != _TEXT:
                cursor.skip(count * width)
                return
            self._texts += count
            if self._texts > _MOST_TEXTS:
                cursor.fail(f"its metadata has more than {_MOST_TEXTS:,} texts.")
            cursor.skip_texts(count)
            return
        self._kept += count
        if self._kept > self._most:
            cursor.fail("its metadata has far more numbers than any model's.")
        if kind == _TEXT:
            self.metadata[key] = tuple(self._text() for _ in range(count))
        else:
            code = _SCALARS[kind].format[1:]
            values = struct.unpack(f"<{count}{code}", cursor.take(count * width))
            self.metadata[key] = tuple(_shortest(value, kind) for value in values)

    def _text(self) -> str:
        length = self._cursor.number(_U64)
        self._kept_bytes += length
        if length > _LONGEST_TEXT or self._kept_bytes > self._most_bytes:
            self._cursor.fail(f"its metadata has a text of {length:,} bytes.")
        return self._cursor.take(length).decode("utf-8", "replace")

    def _refuse(self, key: str, kind: int) -> NoReturn:
        self._cursor.fail(
            f"its metadata's {quoted(key)} is of type {kind:,}, which no file has.",
            NOT_WRITTEN_RIGHT,
        )


def _shortest(value: int | float | bool, kind: int) -> int | float | bool:
    """A number of single precision as people write it: 1e-05 and not 9.999999747378752e-06."""
    if kind == _F32 and abs(value) < _LARGE:  # infinities and NaN stay what they are
        for digits in range(6, 9):
            short = float(f"{value:.{digits}g}")
            if struct.unpack("<f", struct.pack("<f", short))[0] == value:
                return short
    return value


def read_name(cursor: HeaderCursor, of: str) -> str:
    """The next name; ``of`` says in messages what has it. Raises ``DamagedCheckpoint``."""
    length = cursor.number(_U64)
    if not 0 < length <= _LONGEST_NAME:
        cursor.fail(f"{of} has a name of {length:,} bytes; 1 to {_LONGEST_NAME:,} are allowed.")
    try:
        return cursor.take(length).decode()
    except UnicodeDecodeError:
        cursor.fail(f"{of} has a name that is not UTF-8.", NOT_WRITTEN_RIGHT)
