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

from modeldiff.files.atomic import write_whole
from modeldiff.results.drilldown_kinds import Found, Look
from modeldiff.results.result import is_key
from modeldiff.results.store.folder import cannot_write, ready_results_folder, results_folder

_log = logging.getLogger(__name__)
_UNREADABLE = (OSError, ValueError, TypeError, KeyError)


def load_look(key: str, look: Look) -> Found | None:
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
    from modeldiff.results.store.drilldown_parquet import decode

    try:
        return decode(content, key, look)
    except _UNREADABLE as error:
        _log.warning("The closer look %s can't be used and is measured anew: %s", path, error)
        return None


def save_look(key: str, look: Look, found: Found) -> None:
    """Keep what a look showed. Raises ``ResultError`` where that is not possible."""
    from modeldiff.results.store.drilldown_parquet import encode

    path = _path(ready_results_folder(), key, look)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encode(found, key, look))
    except OSError as error:
        raise cannot_write(path, error) from error


def delete_looks(key: str) -> None:
    """Delete all looks that belong to the result with this key. Raises ``OSError``."""
    if is_key(key):
        folder = _folder(results_folder(), key)
        if folder.is_dir():
            shutil.rmtree(folder)


def _folder(results: Path, key: str) -> Path:
    return results / "details" / key


def _path(results: Path, key: str, look: Look) -> Path:
    """A place's names come from a file's header: they are hashed, and never part of a path."""
    question = json.dumps([*astuple(look.place), look.kind])
    digest = hashlib.sha256(question.encode()).hexdigest()
    return _folder(results, key) / f"{digest}.parquet"
