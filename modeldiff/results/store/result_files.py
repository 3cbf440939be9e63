"""Results on disk: one Parquet file each, named by its key.

What can't be read is treated as absent, so the worst that a damaged cache can cost is time.
"""

from __future__ import annotations

import logging
from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.atomic import write_atomically, write_if_possible
from modeldiff.files.plain_file import read_plain
from modeldiff.files.sealed_parquet import UNREADABLE
from modeldiff.results.result import Result, ResultHeader, is_key
from modeldiff.results.shared.sealed_files import (
    DRILL_DOWNS,
    RESULTS,
    drop_shared,
    fetch_sealed,
    share_sealed,
)
from modeldiff.results.store.drilldown_files import delete_drill_downs
from modeldiff.results.store.folder import (
    cannot_write,
    ready_results_folder,
    results_folder,
)
from modeldiff.results.store.shared_headers import forget_shared_list, shared_headers
from modeldiff.settings.startup import is_server

_log = logging.getLogger(__name__)


def load_result(key: str) -> Result | None:
    """The stored result of a question, or None: this machine's, else the one that is shared, which
    is then kept here, too. ``key`` is ``Comparison.key``: 64 hex digits.

    A file that is damaged, of another schema version or of another question is moved aside (its
    name then ends in ``.bad``) with a logged warning.
    """
    if not is_key(key):
        return None
    path = _path(results_folder(), key)
    try:
        content = read_plain(path)
    except FileNotFoundError:
        return _shared_result(path, key)
    except OSError as error:
        _log.warning("The result %s can't be read: %s", path, error)
        return _shared_result(path, key)
    try:
        return _decoded(content, key)
    except UNREADABLE as error:
        _move_aside(path, error)
        return _shared_result(path, key)


def save_result(result: Result) -> None:
    """Keep ``result``, here and in the store that is shared if one is. Raises ``ResultError`` where
    it can't be kept here."""
    from modeldiff.results.store.result_parquet import encode_result

    path = _path(ready_results_folder(), result.key)
    content = encode_result(result)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error
    share_sealed(shared_name(result.key), content)


def delete_result(key: str) -> None:
    """Delete the stored result with this key and all drill-downs into it, here and in the store
    that is shared if one is; if there are none, so be it. Raises ``ResultError`` where that is not
    permitted, or the store can't be reached."""
    if not is_key(key):
        return
    drop_shared(f"{DRILL_DOWNS}{key}/", names=(shared_name(key),))
    forget_shared_list()
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
    """The headers of all stored results, shared ones too, newest first. Each knows its ``key``.
    Those that can't be read are left out with a logged warning, one for all of other versions."""
    from modeldiff.results.store.result_parquet import OtherSchema, decode_header

    folder = results_folder()
    headers, others = [], 0
    for path in folder.glob("*.parquet"):
        try:
            header = decode_header(path)
        except OtherSchema:
            others += 1
            continue
        except UNREADABLE as error:
            _log.warning("%s is skipped: %s", path, error)
            continue
        if header.key == path.stem:
            headers.append(header)
    if others:
        _log.warning("Results of another version in %s are left out: %d", folder, others)
    headers += shared_headers({header.key for header in headers})
    return tuple(sorted(headers, key=lambda header: header.created, reverse=True))


def shared_name(key: str) -> str:
    """What the result with this key is called in the store that is shared."""
    return f"{RESULTS}{key}.parquet"


def _decoded(content: bytes, key: str) -> Result:
    """The result that must have this key; raises one of ``UNREADABLE``."""
    from modeldiff.results.store.result_parquet import decode_result

    result = decode_result(content)
    if result.key != key:
        raise ValueError("it answers another question than its name says")
    return result


def _shared_result(path: Path, key: str) -> Result | None:
    content = fetch_sealed(shared_name(key))
    if content is None:
        return None
    try:
        result = _decoded(content, key)
    except UNREADABLE as error:
        _log.warning("The shared result %s can't be used: %s", key, error)
        return None
    write_if_possible(path, content)
    return result


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.parquet"


def _move_aside(path: Path, reason: Exception) -> None:
    _log.warning("The stored result %s can't be used and is set aside: %s", path, reason)
    try:
        path.replace(path.with_suffix(".bad"))
    except OSError as error:
        _log.warning("%s could not be renamed: %s", path, error)
