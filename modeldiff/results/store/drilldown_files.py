"""Looks on disk: one Parquet file each, in a folder of their result's key.

They stand beside the results and go with them. As there, what can't be read counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import astuple
from pathlib import Path

from modeldiff.files.atomic import write_atomically
from modeldiff.results.drilldown_kinds import DrillDown, DrillDownResult
from modeldiff.results.result import is_key
from modeldiff.results.store.folder import cannot_write, ready_results_folder, results_folder

_log = logging.getLogger(__name__)
_UNREADABLE = (OSError, ValueError, TypeError, KeyError)


def load_drill_down(key: str, look: DrillDown) -> DrillDownResult | None:
    """The stored look at a pair of the result with this key, or None.

    A file that is damaged, of another version or of another look is left aside with a logged
    warning; the next measurement replaces it.
    """
    if not is_key(key):
        return None
    path = _path(results_folder(), key, look)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("The closer look %s can't be read: %s", path, error)
        return None
    from modeldiff.results.store.drilldown_parquet import decode_drill_down

    try:
        return decode_drill_down(content, key, look)
    except _UNREADABLE as error:
        _log.warning("The closer look %s can't be used and is measured anew: %s", path, error)
        return None


def save_drill_down(key: str, look: DrillDown, found: DrillDownResult) -> None:
    """Keep what a look showed. Raises ``ResultError`` where that is not possible."""
    from modeldiff.results.store.drilldown_parquet import encode_drill_down

    path = _path(ready_results_folder(), key, look)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encode_drill_down(found, key, look))
    except OSError as error:
        raise cannot_write(path, error) from error


def delete_drill_downs(key: str) -> None:
    """Delete all looks that belong to the result with this key. Raises ``OSError``."""
    if is_key(key):
        folder = _folder(results_folder(), key)
        if folder.is_dir():
            shutil.rmtree(folder)


def _folder(results: Path, key: str) -> Path:
    return results / "details" / key


def _path(results: Path, key: str, look: DrillDown) -> Path:
    """A place's names come from a file's header: they are hashed, and never part of a path."""
    question = json.dumps([*astuple(look.place), look.kind])
    digest = hashlib.sha256(question.encode()).hexdigest()
    return _folder(results, key) / f"{digest}.parquet"
