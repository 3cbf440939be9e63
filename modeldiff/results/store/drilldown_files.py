"""Drill-downs on disk: one Parquet file each, in a folder of their result's key.

They stand beside the results and go with them. As there, what can't be read counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modeldiff.files.atomic import write_atomically, write_if_possible
from modeldiff.files.group_folder import make_group_folder
from modeldiff.files.plain_file import read_plain
from modeldiff.files.sealed_parquet import UNREADABLE
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.result import is_key
from modeldiff.results.shared.sealed_files import DRILL_DOWNS, fetch_sealed, share_sealed
from modeldiff.results.store.folder import cannot_write, ready_results_folder, results_folder

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def read_drill_down(
    key: str, request: DrillDown, decode: Callable[[pa.Table, Mapping[str, Any]], _Result]
) -> _Result | None:
    """What ``decode`` makes of the stored drill-down ``request`` into the diff with this key, or
    None. One that only the store has that is shared is kept here, too.

    A file that is damaged, of another version or of another drill-down is left aside with a logged
    warning; the next measurement replaces it.
    """
    if not is_key(key):
        return None
    path = _path(results_folder(), key, request)
    for is_shared, read in ((False, _kept), (True, _fetched)):
        content = read(path)
        if content is None:
            continue
        from modeldiff.results.store.drilldown_parquet import decode_drill_down

        try:
            result = decode(*decode_drill_down(content, key, request))
        except UNREADABLE as error:
            _log.warning("The drill-down %s can't be used: %s", path, error)
            continue
        if is_shared:
            write_if_possible(path, content)
        return result
    return None


def _kept(path: Path) -> bytes | None:
    try:
        return read_plain(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("The drill-down %s can't be read: %s", path, error)
        return None


def _fetched(path: Path) -> bytes | None:
    return fetch_sealed(_shared_name(path))


def write_drill_down(
    key: str, request: DrillDown, table: pa.Table, about: Mapping[str, Any]
) -> None:
    """Keep a drill-down into the diff with this key: its ``table``, and what JSON can hold of it.
    Raises ``ResultError`` where that is not possible."""
    from modeldiff.results.store.drilldown_parquet import encode_drill_down

    path = _path(ready_results_folder(), key, request)
    try:
        make_group_folder(path.parent)
        content = encode_drill_down(table, about, key, request)
        write_atomically(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error
    share_sealed(_shared_name(path), content)


def delete_drill_downs(key: str) -> None:
    """Delete all drill-downs into the diff with this key. Raises ``OSError``."""
    if is_key(key):
        folder = _folder(results_folder(), key)
        if folder.is_dir():
            shutil.rmtree(folder)


def _shared_name(path: Path) -> str:
    """What the drill-down at ``path`` is called in the store that is shared."""
    return f"{DRILL_DOWNS}{path.parent.name}/{path.name}"


def _folder(results: Path, key: str) -> Path:
    return results / "details" / key


def _path(results: Path, key: str, request: DrillDown) -> Path:
    """A place's names come from a file's header: they are hashed, and never part of a path."""
    identity = json.dumps([*request.identity.values()])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return _folder(results, key) / f"{digest}.parquet"
