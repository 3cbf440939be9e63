"""A result from bytes that nobody vouches for: a file that was exported, uploaded or shipped."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import get_args

from modeldiff.changes import Status
from modeldiff.errors import ResultError
from modeldiff.files.sealed_parquet import UNREADABLE
from modeldiff.results.result import Result
from modeldiff.text.quoting import quoted

MAX_RESULT_BYTES = 1 << 30
"""Larger files are refused unread: a row takes a few kilobytes, and 20,000 are a large model."""
_UNREADABLE = (*UNREADABLE, AttributeError, MemoryError)


def read_result(content: bytes, name: str) -> Result:
    """The result that the bytes of a Parquet file hold. ``name`` is what to call the file where
    it holds none. Raises ``ResultError``."""
    # Late: nothing else of the store needs it before something is read.
    from modeldiff.results.store.result_parquet import decode_result

    try:
        require_size(len(content))
        result = decode_result(content)
        unknown = set(result.changes.statuses) - set(get_args(Status))
        if unknown:
            raise ValueError(f"it has rows of an unknown status, {quoted(str(min(unknown)))}")
    except _UNREADABLE as error:
        raise not_a_result(name, error) from error
    return result


def read_result_apart(content: bytes, name: str) -> Result:
    """``read_result``, under the hash of the content as its key: what says by itself what it is a
    result of is never taken for what was measured here."""
    return replace(read_result(content, name), key=hashlib.sha256(content).hexdigest())


def require_size(size: int) -> None:
    """Raise ``ValueError`` where a file of ``size`` bytes is too large for a result."""
    if size > MAX_RESULT_BYTES:
        raise ValueError("it is too large for a result")


def not_a_result(name: str, error: Exception) -> ResultError:
    """The error of a file called ``name`` that ``error`` says is no result."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = why.splitlines()[0] if why else "it is damaged"
    return ResultError(
        f"{quoted(name, 200)} can't be read as a result: {reason}.",
        hint="Results are the .parquet files that modeldiff diff --output writes, and those in "
        "its folder of results; one of another version has to be measured again.",
    )
