"""A drill-down as the bytes of a Parquet file: its arrays as columns, all else in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeldiff.files.sealed_parquet import check_seal, seal
from modeldiff.results.drilldown_request import DrillDown

VERSION = 2
"""Version of what a drill-down holds and of how it is computed. Raise it when either changes:
those of another version are measured again."""

# Files of this version call a drill-down a look.
_METADATA_KEY = b"modeldiff look"


def encode_drill_down(
    table: pa.Table, about: Mapping[str, Any], key: str, request: DrillDown
) -> bytes:
    """The file's content: ``table`` and what JSON holds of a result, of the drill-down ``request``
    into the diff with this key. Equal bits come back from ``decode_drill_down``."""
    header = _identity(key, request) | {"about": about}
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(header)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return seal(sink.getvalue().to_pybytes())


def decode_drill_down(
    content: bytes, key: str, request: DrillDown
) -> tuple[pa.Table, Mapping[str, Any]]:
    """The table, and what JSON held, of a file's ``content``.

    Raises ``ValueError``, ``TypeError``, ``KeyError`` or ``OSError`` where the bytes are damaged,
    or of another drill-down, diff or version.
    """
    check_seal(content)
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    header: Any = json.loads((file.schema_arrow.metadata or {})[_METADATA_KEY])
    expected = _identity(key, request)
    if {name: header[name] for name in expected} != expected:
        raise ValueError("it is of another drill-down, or of another version")
    return file.read(use_threads=False), header["about"]


def _identity(key: str, request: DrillDown) -> dict[str, Any]:
    return {"version": VERSION, "key": key, "look": request.identity}
