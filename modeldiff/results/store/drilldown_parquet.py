"""A look as the bytes of one Parquet file: its arrays as columns, all else in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from modeldiff.changes import (
    Change,
    ChangeImage,
    Pair,
    RoundingNoise,
    RowChanges,
    SingularValues,
    UnitChanges,
    Units,
)
from modeldiff.changes.table.arrow_columns import changes_of, table_of
from modeldiff.checkpoints import TensorInfo
from modeldiff.results.drilldown_kinds import DrillDown, DrillDownKind, DrillDownResult

VERSION = 1
"""Version of what a look holds and of how it is computed. Raise it when either changes: looks of
another version are measured again."""

_METADATA_KEY = b"modeldiff look"
_NO_TENSOR = TensorInfo("", "", (), "", 0, 0)
_About = Mapping[str, Any]


def encode_drill_down(found: DrillDownResult, key: str, look: DrillDown) -> bytes:
    """The file's content. Equal bits come back from ``decode``."""
    table, about = _table(found, look)
    said = {"version": VERSION, "key": key, "look": asdict(look), "about": about}
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(said)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode_drill_down(content: bytes, key: str, look: DrillDown) -> DrillDownResult:
    """What this look showed.

    Raises ``ValueError``, ``TypeError``, ``KeyError`` or ``OSError`` where the bytes are damaged,
    or of another look, result or version.
    """
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    said: Any = json.loads((file.schema_arrow.metadata or {})[_METADATA_KEY])
    asked = {"version": VERSION, "key": key, "look": asdict(look)}
    if {name: said[name] for name in asked} != asked:
        raise ValueError("it is of another look, or of another version")
    return _READERS[look.kind](file.read(use_threads=False), said["about"])


def _table(found: DrillDownResult, look: DrillDown) -> tuple[pa.Table, _About]:
    if isinstance(found, UnitChanges):
        # Statistics have their table already; all rows stand for parts of this one pair.
        pair = Pair(look.place, "compared", _NO_TENSOR, _NO_TENSOR)
        return table_of([Change(pair, each) for each in found.statistics]), asdict(found.units)
    if isinstance(found, RowChanges):
        return pa.table({field.name: getattr(found, field.name) for field in fields(found)}), {}
    if isinstance(found, ChangeImage):
        about = {"height": found.height, "rows": found.rows, "columns": found.columns}
        return pa.table({"pct": found.pct.reshape(-1)}), about
    about = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "values"}
    return pa.table({"values": found.values}), about | {"noise": asdict(found.noise)}


def _units(table: pa.Table, about: _About) -> UnitChanges:
    kind, axis, edges, groups = (about[name] for name in ("kind", "axis", "edges", "groups"))
    statistics = tuple(c.statistics for c in changes_of(table) if c.statistics is not None)
    if len(statistics) != len(edges) - 1:
        raise ValueError("it has not as many rows as units")
    return UnitChanges(Units(kind, axis, tuple(edges), tuple(groups)), statistics)


def _rows(table: pa.Table, about: _About) -> RowChanges:
    del about
    return RowChanges(**{field.name: _array(table, field.name) for field in fields(RowChanges)})


def _image(table: pa.Table, about: _About) -> ChangeImage:
    pct = _array(table, "pct").reshape(about["height"], -1)
    return ChangeImage(pct, about["rows"], about["columns"])


def _spectrum(table: pa.Table, about: _About) -> SingularValues:
    noise = RoundingNoise(**about["noise"])
    return SingularValues(_array(table, "values"), **{**about, "noise": noise})


_READERS: dict[DrillDownKind, Callable[[pa.Table, _About], DrillDownResult]] = {
    "units": _units,
    "rows": _rows,
    "image": _image,
    "spectrum": _spectrum,
}


def _array(table: pa.Table, name: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = np.ascontiguousarray(table.column(name).to_numpy())
    return values
