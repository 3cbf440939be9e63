"""Results that somebody brings: a Parquet file that was exported or kept, opened again.

Such a file says by itself what it is a result of, and could say so wrongly. So it is kept apart
from what this machine measured, under the hash of its own content, and answers no question but
that for itself.
"""

from __future__ import annotations

from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.atomic import write_atomically
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.group_folder import make_group_folder
from modeldiff.files.plain_file import read_plain
from modeldiff.results.result import Result, is_key
from modeldiff.results.store.folder import cannot_write
from modeldiff.results.store.untrusted import read_result_apart

MOST_GIVEN = 50
"""So many are kept; the oldest make room."""


def keep_given_result(content: bytes, name: str) -> Result:
    """The result that a file's ``content`` holds, kept so that a link can name it by its ``key``,
    which is the hash of the content. ``name`` is what the file is called. Raises ``ResultError``
    where it holds no result, or can't be kept."""
    result = read_result_apart(content, name)
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
        return read_result_apart(read_plain(path), path.name)
    except (OSError, ResultError):
        return None
