"""A result as the bytes of one Parquet file: the rows, and the header in the file's metadata."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeldiff.changes import ChangeTable
from modeldiff.changes.table.arrow_columns import changes_of
from modeldiff.comparison import SCHEMA
from modeldiff.files.sealed_parquet import check_seal, seal, sealed_footer_at
from modeldiff.results.result import Result, ResultHeader

_METADATA_KEY = b"modeldiff"
_LISTS = ("base_unread", "target_unread")
_HEADER_TYPES: dict[str, Any] = {
    "options": dict,
    "schema": int,
    "seconds": (int, float),
    **dict.fromkeys(_LISTS, list),
}
"""The types of a header's fields that are no text."""
_REPEATED_TEXT = [
    *("tower", "component", "parameter", "status", "reason"),
    *("base_dtype", "base_file", "base_part", "target_dtype", "target_file", "target_part"),
]
_COUNTS = [f"histogram_{part}.list.element" for part in ("buckets", "counts")]


class OtherSchema(ValueError):
    """The file was written by a version of modeldiff whose numbers mean something else."""


def encode_result(result: Result) -> bytes:
    """The file's content. Equal bits come back from ``decode_result``."""
    header = json.dumps(asdict(result.header))
    table = result.changes.to_arrow().replace_schema_metadata({_METADATA_KEY: header})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=_REPEATED_TEXT,
        column_encoding=dict.fromkeys(_COUNTS, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    )
    return seal(sink.getvalue().to_pybytes())


def decode_result(content: bytes) -> Result:
    """The result that these bytes hold.

    Raises ``ValueError``, ``TypeError`` or ``OSError`` where they are damaged or something else.
    """
    check_seal(content)
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    header = _header(file.schema_arrow.metadata)
    changes = ChangeTable(changes_of(file.read(use_threads=False)))
    return Result(header.key, header, changes)


def decode_header(path: Path) -> ResultHeader:
    """Only the header of a file; raises as ``decode_result``."""
    return decode_footer(sealed_footer_at(path))


def decode_footer(footer: bytes) -> ResultHeader:
    """The header in what ``sealed_footer`` gives of a file; raises as ``decode_result``."""
    return _header(pq.read_schema(pa.BufferReader(footer)).metadata)


def _header(metadata: dict[bytes, bytes] | None) -> ResultHeader:
    if not metadata or _METADATA_KEY not in metadata:
        raise ValueError("it is no result of modeldiff")
    fields: Any = json.loads(metadata[_METADATA_KEY])
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise OtherSchema(f"it was not written with schema version {SCHEMA}")
    for name, value in fields.items():
        if not isinstance(value, _HEADER_TYPES.get(name, str)):
            raise ValueError(f"its {name} is of another type")
    for name in _LISTS:  # JSON knows no tuples
        fields[name] = tuple(map(str, fields.get(name, ())))
    return ResultHeader(**fields)
