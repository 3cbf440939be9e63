"""A fleet's table for others: as a JSON document, as CSV, Parquet or Markdown."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from modeldiff._version import __version__
from modeldiff.results.fleet.rows import FLEET_COLUMNS, Fleet, FleetRow
from modeldiff.text.formatting import format_pct
from modeldiff.text.table_formats import csv_table, markdown_table

FLEET_DOCUMENT = "modeldiff/fleet/1"
"""The name and version of the document, whose JSON schema ``modeldiff schema fleet`` prints."""
FLEET_HEADERS = ("Target", "Median", "Rel. Frobenius", "Unchanged", "Most changed", "Likeness")
"""The table's columns for people, as ``fleet_cells`` fills them."""


def fleet_document(fleet: Fleet) -> dict[str, Any]:
    """The fleet as one JSON document: infinity is ``"inf"``, what was not measured None."""
    return {
        "document": FLEET_DOCUMENT,
        "base": {"reference": fleet.base, "fingerprint": fleet.base_fingerprint},
        "version": __version__,
        "bytes_read": fleet.bytes_read,
        "bytes_apart": fleet.bytes_apart,
        "pairs": [{name: _plain(value) for name, value in vars(row).items()} for row in fleet.rows],
        "failures": [dict(vars(failure)) for failure in fleet.failures],
    }


def fleet_cells(row: FleetRow) -> tuple[str, ...]:
    """A row for people, under ``FLEET_HEADERS``."""
    compared = row.coverage_pct
    part = "" if compared is None or compared >= 100 else f"{format_pct(compared)} compared. "
    return (
        row.name,
        format_pct(row.median_pct),
        format_pct(row.rel_frobenius_pct),
        format_pct(row.unchanged_pct),
        most_changed_text(row),
        f"{part}{row.likeness}",
    )


def most_changed_text(row: FleetRow) -> str:
    """Where most changed and by how much; empty where nothing did."""
    if row.most_changed_pct:
        return f"{row.most_changed} ({format_pct(row.most_changed_pct)})"
    if row.most_changed_frobenius_pct:
        return f"{row.most_changed} (rel. Frobenius {format_pct(row.most_changed_frobenius_pct)})"
    return ""


def _json(fleet: Fleet) -> bytes:
    return json.dumps(fleet_document(fleet), allow_nan=False, indent=1).encode()


def _csv(fleet: Fleet) -> bytes:
    """A line a pair; which base, in columns of its own."""
    origin = {"base": fleet.base, "base_fingerprint": fleet.base_fingerprint}
    rows = [
        [_text(value) for value in {**vars(row), **origin, "version": __version__}.values()]
        for row in fleet.rows
    ]
    return csv_table([*FLEET_COLUMNS, *origin, "version"], rows).encode()


def _parquet(fleet: Fleet) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"number": pa.float64(), "text": pa.string()}
    origin = {"base": fleet.base, "base_fingerprint": fleet.base_fingerprint}
    table = pa.Table.from_pylist(
        [vars(row) for row in fleet.rows],
        pa.schema([(name, kinds[kind]) for name, kind in FLEET_COLUMNS.items()]),
    ).replace_schema_metadata({"modeldiff.fleet": json.dumps({**origin, "version": __version__})})
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def _markdown(fleet: Fleet) -> bytes:
    rows = [fleet_cells(row) for row in fleet.rows]
    base = fleet.base.replace("`", "'")
    lines = [f"Base: `{base}`", "", markdown_table(FLEET_HEADERS, rows)]
    if fleet.failures:
        lines += ["", "Not measured:", ""]
        lines += [f"- {_one_line(f'{each.target}: {each.message}')}" for each in fleet.failures]
    return "\n".join([*lines, ""]).encode()


FLEET_FILES: Mapping[str, Callable[[Fleet], bytes]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".md": _markdown,
}
"""What each type of file holds of a fleet."""


def _plain(value: float | str | None) -> float | str | None:
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def _text(value: float | str | None) -> str:
    return "" if value is None else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
