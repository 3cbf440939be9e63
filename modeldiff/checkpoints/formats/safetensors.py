"""The safetensors header: bytes → tensor infos, believed only after every claim was checked.

A file is eight bytes (the header's length, little-endian), a JSON object, and data. The object maps
each tensor's name to ``{"dtype", "shape", "data_offsets": [begin, end]}``, offsets counted from the
data's start, and may hold ``__metadata__``, an object of strings. Tensors fill the data without
holes or overlaps. Format: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.unsupported import refuse_foreign
from modeldiff.checkpoints.tensor import Piece, TensorInfo
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

MAX_HEADER_BYTES = 100_000_000
"""Longest header that is read, as in the safetensors library."""

MAX_NAME = 2_000
MAX_DIMENSIONS = 64
_MAX_SIZE = 2**63 - 1
# The shortest entry there can be: "a":{"dtype":"F4","shape":[],"data_offsets":[0,0]},
_MIN_ENTRY_BYTES = 50

_COPY_AGAIN = "Download or copy the file again."
_NOT_WRITTEN_RIGHT = "The program that wrote the file did not follow the format: write it again."


@dataclass(frozen=True)
class Header:
    """A header that holds together. ``tensors`` stand in the order of their data, ``nbytes`` is
    where the data begins."""

    tensors: tuple[TensorInfo, ...]
    metadata: dict[str, str]
    nbytes: int


def begins_as_safetensors(start: bytes) -> bool:
    """Whether a file that begins with these (nine or more) bytes has a header of safetensors: its
    length, and a brace. Of one in some two thousand files the length looks like a pickle's
    beginning, but no other format has a brace there and a length that may be."""
    return int.from_bytes(start[:8], "little") <= MAX_HEADER_BYTES and start[8:9] == b"{"


def header_bytes(start: bytes, file_size: int, where: str) -> int:
    """How many bytes of the file are its header, the eight of the length included.

    ``start`` is the file's beginning, at least nine bytes of it if it has so many; ``where`` names
    it in messages. Raises ``DamagedCheckpoint``, ``UnsupportedFormat`` or ``NoWeights`` where that
    can't be the beginning of a safetensors file of ``file_size`` bytes.
    """
    if file_size == 0:
        raise DamagedCheckpoint(f"{where} is empty.", hint=_COPY_AGAIN)
    length = int.from_bytes(start[:8], "little")
    if not begins_as_safetensors(start):
        refuse_foreign(start, file_size, where)
        raise DamagedCheckpoint(
            f"{where} is not a safetensors file: it does not begin with a header.",
            hint="If it was renamed from another format, convert it; else download it again.",
        )
    if length > file_size - 8:
        raise DamagedCheckpoint(
            f"{where} is cut short inside its header: {length:,} bytes are promised and "
            f"{file_size - 8:,} are there.",
            hint=_COPY_AGAIN,
        )
    return 8 + length


def parse_header(raw: bytes, *, file: str, file_size: int, where: str) -> Header:
    """Read a header. ``raw`` is the file's first ``header_bytes(…)`` bytes.

    ``file`` goes into the tensor infos, ``where`` names the file in messages. Raises
    ``DamagedCheckpoint`` where the header contradicts itself or the file's size, and
    ``UnsupportedFormat`` for an element type that is not known.
    """

    def fail(what: str, hint: str = _NOT_WRITTEN_RIGHT) -> NoReturn:
        raise DamagedCheckpoint(f"{where}: {what}", hint=hint)

    entries = _parse_json(raw[8:], fail)
    metadata = _metadata(entries.pop("__metadata__", {}), fail)
    data_bytes = file_size - len(raw)
    rows = [_row(name, entry, fail, where) for name, entry in entries.items()]
    _require_unicode([*entries, *metadata, *metadata.values()], fail)
    rows.sort()

    position = 0
    tensors = []
    for begin, end, name, dtype, shape in rows:
        if begin != position:
            gap = "overlaps the one before it" if begin < position else "leaves a hole before it"
            fail(f"the data of tensor {quoted(name)} {gap}.")
        position = end
        piece = Piece(file, len(raw) + begin, end - begin, dtype, shape)
        tensors.append(TensorInfo(name, shape, dtype, (piece,)))
    if position > data_bytes:
        fail(
            f"the file is cut short: its header promises {position:,} bytes of data and "
            f"{data_bytes:,} are there.",
            _COPY_AGAIN,
        )
    if position < data_bytes:
        fail(f"{data_bytes - position:,} bytes at its end belong to no tensor.", _COPY_AGAIN)
    return Header(tuple(tensors), metadata, len(raw))


_Fail = Callable[..., NoReturn]
_Row = tuple[int, int, str, str, tuple[int, ...]]


def _row(name: str, entry: Any, fail: _Fail, where: str) -> _Row:
    """One entry as (begin, end, name, dtype, shape), each claim checked but the data's order."""
    if not 0 < len(name) <= MAX_NAME:
        fail(f"a tensor has a name of {len(name):,} characters; 1 to {MAX_NAME:,} are allowed.")
    try:
        dtype, shape = entry["dtype"], entry["shape"]
        begin, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError, IndexError):
        fail(f"the entry of tensor {quoted(name)} lacks dtype, shape or data_offsets.")
    if type(dtype) is not str:
        fail(f"the dtype of tensor {quoted(name)} is not a text.")
    stored = STORED_TYPES.get(dtype)
    if stored is None:
        raise UnsupportedFormat(
            f"{where}: tensor {quoted(name)} has the element type {quoted(dtype)}, "
            "which is not known.",
            hint=f"Known are {', '.join(STORED_TYPES)}.",
        )
    # Compared by type, because True is an int and 1.0 equals one.
    if type(shape) is not list:
        fail(f"the shape of tensor {quoted(name)} is not a list of sizes.")
    for size in shape:
        if type(size) is not int or not 0 <= size <= _MAX_SIZE:
            fail(f"the shape of tensor {quoted(name)} is not a list of sizes.")
    if len(shape) > MAX_DIMENSIONS:
        fail(f"tensor {quoted(name)} has {len(shape):,} dimensions.")
    if not (type(begin) is int and type(end) is int and 0 <= begin <= end):
        fail(f"the data_offsets of tensor {quoted(name)} are not two ascending positions.")
    if math.prod(shape) * stored.bits != (end - begin) * 8:
        fail(
            f"tensor {quoted(name)} of shape {quoted(str(shape))} and type {dtype} does not fill "
            f"the {end - begin:,} bytes that its data_offsets give it."
        )
    return begin, end, name, dtype, tuple(shape)


def _parse_json(raw: bytes, fail: _Fail) -> dict[str, Any]:
    """The header's JSON object; no duplicate keys, no NaN, no value that is not plain JSON."""
    entries = raw.count(b'"data_offsets"')
    # Millions of empty lists would take gigabytes once parsed: bound what may be built by what the
    # tensors need, with room for names and metadata that hold these characters.
    room = min(entries, len(raw) // _MIN_ENTRY_BYTES)
    if raw.count(b"[") + raw.count(b"{") > 3 * room + 1_000_000:
        fail("its header nests far more lists than its tensors need.")
    if raw.count(b",") > 8 * room + 2_000_000:
        fail("its header has far more values than its tensors need.")
    try:
        parsed = json.loads(raw.decode(), parse_constant=_refuse_constant)
        if not isinstance(parsed, dict):
            fail("its header is not a JSON object.")
        # Looking at each object's keys while parsing doubles the time, so it is done only where
        # counting can't rule duplicates out: each entry spells each of its keys once.
        count = len(parsed) - ("__metadata__" in parsed)
        once = all(raw.count(key) == count for key in (b'"dtype"', b'"shape"', b'"data_offsets"'))
        if not once or raw.count(b'"__metadata__"') > 1 or b"\\u" in raw:
            json.loads(raw.decode(), object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, giant number
        fail(f"its header is not valid JSON ({_reason(error)}).", _COPY_AGAIN)
    return parsed


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise ValueError(f"{quoted(key)} stands in it twice")
        unique[key] = value
    return unique


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _metadata(value: Any, fail: _Fail) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        fail("its __metadata__ is not an object of texts.")
    return value


def _require_unicode(texts: list[str], fail: _Fail) -> None:
    """Refuse lone surrogates: they can be neither stored nor shown nor sent."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        fail("a name or metadata text in its header is not valid Unicode.")
