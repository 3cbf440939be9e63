"""Results on disk: one Parquet file each, named by its key.

What can't be read is treated as absent, so the worst that a damaged cache can cost is time.
"""

from __future__ import annotations

import logging
from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.atomic import write_atomically
from modeldiff.results.result import Result, ResultHeader, is_key
from modeldiff.results.store.drilldown_files import delete_drill_downs
from modeldiff.results.store.folder import (
    cannot_write,
    ready_results_folder,
    results_folder,
)
from modeldiff.settings.startup import is_server

_log = logging.getLogger(__name__)
# Arrow has errors of its own kinds: of the first and second it makes ValueError and OSError, too.
_UNREADABLE = (OSError, ValueError, TypeError, NotImplementedError)


def load_result(key: str) -> Result | None:
    """The stored result of a question, or None. ``key`` is ``Comparison.key``: 64 hex digits.

    A file that is damaged, of another schema version or of another question is moved aside (its
    name then ends in ``.bad``) with a logged warning.
    """
    if not is_key(key):
        return None
    path = _path(results_folder(), key)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("The result %s can't be read: %s", path, error)
        return None
    from modeldiff.results.store.result_parquet import decode_result

    try:
        result = decode_result(content)
        if result.key != key:
            raise ValueError("it answers another question than its name says")
    except _UNREADABLE as error:
        _move_aside(path, error)
        return None
    return result


def save_result(result: Result) -> None:
    """Keep ``result``. Raises ``ResultError`` where that is not possible."""
    from modeldiff.results.store.result_parquet import encode_result

    path = _path(ready_results_folder(), result.key)
    try:
        write_atomically(path, encode_result(result))
    except OSError as error:
        raise cannot_write(path, error) from error


def delete_result(key: str) -> None:
    """Delete the stored result with this key and all drill-downs into it; if there are none, so be
    it. Raises ``ResultError`` where that is not permitted."""
    if not is_key(key):
        return
    path = _path(results_folder(), key)
    try:
        path.unlink(missing_ok=True)
        delete_drill_downs(key)
    except OSError as error:
        raise ResultError(
            f"The result{'' if is_server() else f' at {path}'} can't be deleted: "
            f"{error.strerror or type(error).__name__}.",
            hint="Permit writing there, or delete it by hand.",
        ) from error


def list_results() -> tuple[ResultHeader, ...]:
    """The headers of all stored results, newest first. Each knows its ``key``. Those that can't be
    read are left out with a logged warning, one for all of other versions."""
    from modeldiff.results.store.result_parquet import OtherSchema, decode_header

    folder = results_folder()
    headers, others = [], 0
    for path in folder.glob("*.parquet"):
        try:
            header = decode_header(path)
        except OtherSchema:
            others += 1
            continue
        except _UNREADABLE as error:
            _log.warning("%s is skipped: %s", path, error)
            continue
        if header.key == path.stem:
            headers.append(header)
    if others:
        _log.warning("Results of another version in %s are left out: %d", folder, others)
    return tuple(sorted(headers, key=lambda header: header.created, reverse=True))


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.parquet"


def _move_aside(path: Path, reason: Exception) -> None:
    _log.warning("The stored result %s can't be used and is set aside: %s", path, reason)
    try:
        path.replace(path.with_suffix(".bad"))
    except OSError as error:
        _log.warning("%s could not be renamed: %s", path, error)
