"""Results for others, as a file of one of three types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from modeldiff.changes import STATISTIC_NAMES, pair_row
from modeldiff.changes.table.plain_rows import PAIR_COLUMNS, statistics_row
from modeldiff.errors import InvalidOption, ResultError
from modeldiff.files.atomic import try_writing, write_atomically
from modeldiff.results.export.documents import result_document
from modeldiff.results.result import Result
from modeldiff.text.table_formats import inert


def require_writable(path: Path, others: Collection[str] = ()) -> None:
    """Refuse, before anything is measured, a path that ``write_result`` could not write.

    ``others`` are endings that somebody else writes. Raises ``InvalidOption`` for an unknown
    ending, ``ResultError`` where writing is not possible.
    """
    if path.suffix.lower() not in others:
        _writer(path, others)
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        try_writing(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_result(result: Result, path: Path) -> None:
    """Write ``result`` to a ``.parquet``, ``.csv`` or ``.json`` file; one that is there is
    replaced. Each says which references, fingerprints, options and version it comes from.

    Raises ``InvalidOption`` for another ending, ``ResultError`` where the file can't be written.
    """
    write_file(path, _writer(path)(result))


def write_file(path: Path, content: bytes) -> None:
    """Write a file that somebody asked for, whole or not at all; one that is there is replaced.

    Raises ``ResultError`` where it can't be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _writer(path: Path, others: Collection[str] = ()) -> Callable[[Result], bytes]:
    writers: dict[str, Callable[[Result], bytes]] = {
        ".parquet": _parquet,
        ".csv": _csv,
        ".json": _json,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InvalidOption(
            f"{path} does not end in a type of file that results are written to.",
            hint=f"Name a file that ends in {', '.join((*writers, *others))}.",
        )
    return writer


def _parquet(result: Result) -> bytes:
    from modeldiff.results.store.result_parquet import encode_result

    return encode_result(result)


def _json(result: Result) -> bytes:
    return json.dumps(result_document(result), allow_nan=False, indent=1).encode()


def _csv(result: Result) -> bytes:
    """Comma-separated, a line a pair. Where it comes from stands in columns of its own on every
    line, since the format has no other place. Shapes are JSON lists."""
    header = result.header
    origin = {
        "base_reference": header.base_reference,
        "base_fingerprint": header.base_fingerprint,
        "target_reference": header.target_reference,
        "target_fingerprint": header.target_fingerprint,
        "options": json.dumps(dict(header.options)),
        "version": header.version,
        "schema": header.schema,
        "device": header.device,
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*PAIR_COLUMNS, *STATISTIC_NAMES, *origin])
    for change in result.changes:
        row = pair_row(change.pair) | statistics_row(change.statistics) | origin
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return inert(value) if isinstance(value, str) else value


def _cannot_write(path: Path, error: OSError) -> ResultError:
    return ResultError(
        f"{path} can't be written: {error.strerror or error}.",
        hint="Name a file in a folder that exists and that can be written to.",
    )
