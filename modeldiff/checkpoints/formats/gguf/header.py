"""GGUF's header: metadata and tensors, believed only after every claim was checked.

A file is ``GGUF``, its version, the counts of tensors and of metadata entries, the entries, the
tensors (name, shape with the fastest dimension first, type, offset) and, from the next whole
multiple of the alignment on, the data. Versions 2 and 3 are alike but for the order of bytes, of
which only little-endian is read. Format: ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.checkpoints.source import FileHead
from modeldiff.errors import UnsupportedFormat
from modeldiff.text.quoting import quoted

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_BIG_ENDIAN = tuple(int.from_bytes(version.to_bytes(4, "big"), "little") for version in _VERSIONS)

_TYPES: Mapping[int, str] = {
    0: "F32",
    1: "F16",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    30: "BF16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
    40: "NVFP4",
}
"""ggml's numbers of types."""

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
_MOST_ENTRIES = 20_000
_MOST_TENSORS = 1 << 17
_LONGEST_TEXT = 1 << 20
_LONGEST_ARRAY = 4096
"""Longer ones, such as vocabularies, are stepped over."""
_MOST_KEPT = 1 << 19
_MOST_KEPT_BYTES = 16 << 20
"""Numbers and texts in arrays, and bytes of texts, that are kept of all entries."""
_MOST_TEXTS = 4_000_000
"""Texts that are stepped over: eight times as many as the largest vocabulary and its merges."""
_MOST_DIMENSIONS = 4
_LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8
_MAX_SIZE = 2**63 - 1
_NOT_WRITTEN_RIGHT = "The program that wrote the file did not follow the format: write it again."

Value = int | float | bool | str | tuple[int | float | bool | str, ...]
Metadata = Mapping[str, Value]


class StoredTensor(NamedTuple):
    """A tensor as the file has it: ``shape`` with the rows first, ``offset`` from the file's
    beginning."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True)
class GgufHeader:
    """A header that holds together. ``metadata`` lacks arrays of more than 4,096 elements, of which
    ``counts`` has the lengths. ``tensors`` stand in the order of their data."""

    metadata: Metadata
    counts: Mapping[str, int]
    tensors: tuple[StoredTensor, ...]
    head: FileHead


def parse_gguf(cursor: HeaderCursor, where: str) -> GgufHeader:
    """Read a header. ``where`` names the file in messages.

    Raises ``DamagedCheckpoint`` where the header contradicts itself or the file's size,
    ``UnsupportedFormat`` for another version, another order of bytes or a type that is not known,
    and what the cursor raises.
    """
    if cursor.take(4) != MAGIC:
        cursor.fail("it does not begin as a GGUF file does.")
    _require_version(cursor.number(_U32), where)
    count, entries = cursor.number(_U64), cursor.number(_U64)
    most = min(cursor.left // _LEAST_TENSOR_BYTES, _MOST_TENSORS)
    if entries > _MOST_ENTRIES or count > most:
        cursor.fail(f"it claims {count:,} tensors and {entries:,} entries of metadata.")
    reader = _MetadataReader(cursor)
    for _ in range(entries):
        reader.read_entry()
    metadata = reader.metadata
    claims = [_claim(cursor) for _ in range(count)]
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 30 or alignment & (alignment - 1):
        cursor.fail("its alignment is no power of two.", _NOT_WRITTEN_RIGHT)
    begin = -(-cursor.position // alignment) * alignment
    tensors = sorted((_checked(cursor, where, begin, *claim) for claim in claims), key=_place)
    _require_apart(cursor, tensors)
    return GgufHeader(metadata, reader.counts, tuple(tensors), cursor.head())


def _place(tensor: StoredTensor) -> tuple[int, int]:
    return tensor.offset, tensor.nbytes


def _require_version(version: int, where: str) -> None:
    if version in _VERSIONS:
        return
    if version in _BIG_ENDIAN:
        raise UnsupportedFormat(
            f"{where} is a big-endian GGUF file, which is not read.",
            hint="Turn it round with llama.cpp's gguf_convert_endian.py, or convert the model "
            "again on a little-endian machine.",
        )
    raise UnsupportedFormat(
        f"{where} is a GGUF file of version {version:,}; versions 2 and 3 are read.",
        hint="Write it again with a recent llama.cpp: llama-quantize FILE NEW COPY.",
    )


class _MetadataReader:
    """Reads entries; what is long is stepped over."""

    def __init__(self, cursor: HeaderCursor) -> None:
        self._cursor = cursor
        self.metadata: dict[str, Value] = {}
        self.counts: dict[str, int] = {}
        self._kept = self._kept_bytes = self._texts = 0

    def read_entry(self) -> None:
        cursor = self._cursor
        key = _name(cursor, "an entry of its metadata")
        if key in self.metadata or key in self.counts:
            cursor.fail(f"its metadata has {quoted(key)} twice.", _NOT_WRITTEN_RIGHT)
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
        if count > _LONGEST_ARRAY:
            if kind != _TEXT:
                cursor.skip(count * width)
                return
            self._texts += count
            if self._texts > _MOST_TEXTS:
                cursor.fail(f"its metadata has more than {_MOST_TEXTS:,} texts.")
            cursor.skip_texts(count)
            return
        self._kept += count
        if self._kept > _MOST_KEPT:
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
        if length > _LONGEST_TEXT or self._kept_bytes > _MOST_KEPT_BYTES:
            self._cursor.fail(f"its metadata has a text of {length:,} bytes.")
        return self._cursor.take(length).decode("utf-8", "replace")

    def _refuse(self, key: str, kind: int) -> NoReturn:
        self._cursor.fail(
            f"its metadata's {quoted(key)} is of type {kind:,}, which no file has.",
            _NOT_WRITTEN_RIGHT,
        )


def _shortest(value: int | float | bool, kind: int) -> int | float | bool:
    """A number of single precision as people write it: 1e-05 and not 9.999999747378752e-06."""
    if kind == _F32 and abs(value) < _LARGE:  # infinities and NaN stay what they are
        for digits in range(6, 9):
            short = float(f"{value:.{digits}g}")
            if struct.unpack("<f", struct.pack("<f", short))[0] == value:
                return short
    return value


def _name(cursor: HeaderCursor, of: str) -> str:
    length = cursor.number(_U64)
    if not 0 < length <= _LONGEST_NAME:
        cursor.fail(f"{of} has a name of {length:,} bytes; 1 to {_LONGEST_NAME:,} are allowed.")
    try:
        return cursor.take(length).decode()
    except UnicodeDecodeError:
        cursor.fail(f"{of} has a name that is not UTF-8.", _NOT_WRITTEN_RIGHT)


_Claim = tuple[str, tuple[int, ...], int, int]
"""A tensor's name, shape, type's number and offset within the data."""


def _claim(cursor: HeaderCursor) -> _Claim:
    name = _name(cursor, "a tensor")
    dimensions = cursor.number(_U32)
    if dimensions > _MOST_DIMENSIONS:
        cursor.fail(f"tensor {quoted(name)} has {dimensions:,} dimensions.", _NOT_WRITTEN_RIGHT)
    shape = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))[::-1]
    return name, shape, cursor.number(_U32), cursor.number(_U64)


def _checked(
    cursor: HeaderCursor,
    where: str,
    begin: int,
    name: str,
    shape: tuple[int, ...],
    number: int,
    offset: int,
) -> StoredTensor:
    kind = _TYPES.get(number)
    if kind is None:
        raise UnsupportedFormat(
            f"{where}: tensor {quoted(name)} is of ggml's type {number:,}, which is not known.",
            hint="Types that only one processor could use were taken out of ggml in 2024: "
            "quantise the model again.",
        )
    elements = math.prod(shape)
    if elements > _MAX_SIZE:
        cursor.fail(f"tensor {quoted(name)} of shape {shape} has more elements than any file.")
    block = BLOCK_TYPES.get(kind)
    if block is None:
        nbytes = elements * STORED_TYPES[kind].bits // 8
    else:
        if not shape or shape[-1] % block.values:
            cursor.fail(
                f"tensor {quoted(name)} of shape {shape} has rows that are no whole blocks of "
                f"{kind}.",
                _NOT_WRITTEN_RIGHT,
            )
        nbytes = elements // block.values * block.nbytes
    if begin + offset + nbytes > cursor.size:
        cursor.fail(
            f"the file is cut short: tensor {quoted(name)} ends at byte "
            f"{begin + offset + nbytes:,} and the file at {cursor.size:,}."
        )
    return StoredTensor(name, kind, shape, begin + offset, nbytes)


def _require_apart(cursor: HeaderCursor, tensors: Sequence[StoredTensor]) -> None:
    """Names once, data once: ``tensors`` stand in the order of their data."""
    names = set()
    end = 0
    for tensor in tensors:
        if tensor.name in names:
            cursor.fail(f"tensor {quoted(tensor.name)} stands in it twice.", _NOT_WRITTEN_RIGHT)
        names.add(tensor.name)
        if tensor.offset < end:
            cursor.fail(f"the data of tensor {quoted(tensor.name)} overlaps the one before it.")
        end = tensor.offset + tensor.nbytes
