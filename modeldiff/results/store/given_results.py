"""Results that somebody brings: a Parquet file that was exported or kept, opened again.

Such a file says by itself what it is a result of, and could say so wrongly. So it is kept apart
from what this machine measured, under the hash of its own content, and answers no question but
that for itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.atomic import write_atomically
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.group_folder import make_group_folder
from modeldiff.results.result import Result, is_key
from modeldiff.results.store.folder import cannot_write

MAX_RESULT_BYTES = 200_000_000
"""Larger files are refused unread: the result of 20,000 tensors takes a few megabytes."""
MOST_GIVEN = 50
"""So many are kept; the oldest make room."""
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, MemoryError)


def keep_given_result(content: bytes) -> Result:
    """The result that a file's ``content`` holds, kept so that a link can name it by its ``key``,
    which is the hash of the content. Raises ``ResultError`` where it is none, or can't be kept."""
    result = _decoded(content)
    folder = cache_folder("given")
    path = folder / f"{result.key}.parquet"
    try:
        make_group_folder(folder)
        write_atomically(path, content)
        kept = sorted(folder.glob("*.parquet"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_GIVEN]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return result


def load_given_result(key: str) -> Result | None:
    """The result that ``keep_given_result`` kept under ``key``; None where there is none."""
    if not is_key(key):
        return None
    path: Path = cache_folder("given") / f"{key}.parquet"
    try:
        return _decoded(path.read_bytes())
    except (OSError, ResultError):
        return None


def _decoded(content: bytes) -> Result:
    from modeldiff.results.store.result_parquet import decode_result

    if len(content) > MAX_RESULT_BYTES:
        raise ResultError(
            "The file is too large for a result.",
            hint="Give the Parquet file that modeldiff wrote.",
        )
    try:
        result = decode_result(content)
    except _UNREADABLE as error:
        raise ResultError(
            f"The file holds no result that can be opened: {error}.",
            hint="Give a Parquet file that this version of modeldiff wrote, or measure the pair "
            "again.",
        ) from error
    return replace(result, key=hashlib.sha256(content).hexdigest())
