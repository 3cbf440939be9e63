"""GGUF's header: metadata and tensors, believed only after every claim was checked.

A file is ``GGUF``, its version, the counts of tensors and of metadata entries, the entries, the
tensors (name, shape with the fastest dimension first, type, offset) and, from the next whole
multiple of the alignment on, the data. Versions 2 and 3 are alike but for the order of bytes, of
which only little-endian is read. Format: ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.formats.gguf.metadata import (
    NOT_WRITTEN_RIGHT,
    Metadata,
    MetadataReader,
    read_name,
)
from modeldiff.checkpoints.formats.gguf.sets import MAGIC
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.checkpoints.source import FileHead
from modeldiff.errors import UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

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

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_MOST_ENTRIES = 20_000
_MOST_TENSORS = 1 << 17
_MOST_DIMENSIONS = 4
_LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8
_MAX_SIZE = 2**63 - 1


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
    count, reader = read_metadata(cursor, where)
    metadata = reader.metadata
    claims = [_claim(cursor) for _ in range(count)]
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 30 or alignment & (alignment - 1):
        cursor.fail("its alignment is no power of two.", NOT_WRITTEN_RIGHT)
    begin = -(-cursor.position // alignment) * alignment
    tensors = sorted((_checked(cursor, where, begin, *claim) for claim in claims), key=_place)
    _require_apart(cursor, tensors)
    return GgufHeader(metadata, reader.counts, tuple(tensors), cursor.head())


def read_metadata(
    cursor: HeaderCursor, where: str, whole: Collection[str] = ()
) -> tuple[int, MetadataReader]:
    """How many tensors a file has, and its metadata, with arrays of the ``whole`` keys at any
    length. Raises as ``parse_gguf`` does."""
    if cursor.take(4) != MAGIC:
        cursor.fail("it does not begin as a GGUF file does.")
    _require_version(cursor.number(_U32), where)
    count, entries = cursor.number(_U64), cursor.number(_U64)
    most = min(cursor.left // _LEAST_TENSOR_BYTES, _MOST_TENSORS)
    if entries > _MOST_ENTRIES or count > most:
        cursor.fail(f"it claims {count:,} tensors and {entries:,} entries of metadata.")
    reader = MetadataReader(cursor, whole)
    for _ in range(entries):
        reader.read_entry()
    return count, reader


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


_Claim = tuple[str, tuple[int, ...], int, int]
"""A tensor's name, shape, type's number and offset within the data."""


def _claim(cursor: HeaderCursor) -> _Claim:
    name = read_name(cursor, "a tensor")
    dimensions = cursor.number(_U32)
    if dimensions > _MOST_DIMENSIONS:
        cursor.fail(f"tensor {quoted(name)} has {dimensions:,} dimensions.", NOT_WRITTEN_RIGHT)
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
                NOT_WRITTEN_RIGHT,
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
            cursor.fail(f"tensor {quoted(tensor.name)} stands in it twice.", NOT_WRITTEN_RIGHT)
        names.add(tensor.name)
        if tensor.offset < end:
            cursor.fail(f"the data of tensor {quoted(tensor.name)} overlaps the one before it.")
        end = tensor.offset + tensor.nbytes
