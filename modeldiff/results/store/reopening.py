"""A result opened again by what somebody calls it: a file, the beginning of a key, or ``last``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import get_args

from modeldiff.changes import Status
from modeldiff.errors import ResultError
from modeldiff.results.result import Result
from modeldiff.results.store.result_files import list_results, load_result
from modeldiff.text.quoting import quoted

_LARGEST = 4 << 30
"""Bytes: many times the result of the largest models."""
_KEY_BEGINS = re.compile("[0-9a-f]{4,64}")
_NOT_READABLE = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError),
    *(NotImplementedError, MemoryError, OverflowError),
)


def open_result(name: str) -> Result:
    """The result that ``name`` means: a ``.parquet`` file that was exported or kept, the first four
    or more digits of a kept result's key, or ``last`` for the one kept last.

    No checkpoint is opened. Raises ``ResultError``.
    """
    if name != "last" and not _KEY_BEGINS.fullmatch(name):
        # Unlike Path's method this takes "~nobody" for a name like any other.
        return _of_file(Path(os.path.expanduser(name)))  # noqa: PTH111
    kept = list_results()
    keys = [header.key for header in kept if name == "last" or header.key.startswith(name)]
    if name == "last":
        keys = keys[:1]
    result = load_result(keys[0]) if len(keys) == 1 else None
    if result is None:
        several = f"{len(keys):,} results are" if len(keys) > 1 else "No result is"
        called = "kept" if name == "last" else f"kept whose key begins with {name}"
        raise ResultError(
            f"{several} {called}.",
            hint="modeldiff list results shows them all."
            if kept
            else "A result is kept by modeldiff diff BASE TARGET, on this machine and in the "
            "folder of MODELDIFF_CACHE.",
        )
    return result


def _of_file(path: Path) -> Result:
    # Late: nothing else of the store needs it before something is read.
    from modeldiff.results.store.result_parquet import decode_result

    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large for a result")
        result = decode_result(path.read_bytes())
        unknown = set(result.changes.statuses) - set(get_args(Status))
        if unknown:
            raise ValueError(f"it has rows of an unknown status, {quoted(str(min(unknown)))}")
    except FileNotFoundError as error:
        raise ResultError(
            f"There is no result called {quoted(str(path))}.",
            hint="Name a .parquet file, the first digits of a key that modeldiff list results "
            "shows, or last.",
        ) from error
    except _NOT_READABLE as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = why.splitlines()[0] if why else "it is damaged"
        raise ResultError(
            f"{quoted(str(path), 200)} can't be read as a result: {reason}.",
            hint="Results are the .parquet files that modeldiff diff --output writes, and those in "
            "its folder of results; one of another version has to be measured again.",
        ) from error
    return result
