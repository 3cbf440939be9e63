"""A range of a file, asked for over HTTP: what the request says, and what the answer says of it."""

from __future__ import annotations

import re

import httpx2

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-[0-9]{1,19}/([0-9]{1,19})")


def range_headers(start: int, count: int) -> dict[str, str]:
    """The headers that ask for ``count`` bytes of a file from ``start`` on, as they are stored."""
    return {
        "Range": f"bytes={start}-{start + count - 1}",
        "Accept-Encoding": "identity",  # else sizes are those of the compressed answer
    }


def answered_range(response: httpx2.Response) -> tuple[int, int] | None:
    """Where the answer's bytes begin in the file, and the file's size; None where it does not say,
    as a server does that knows no ranges and sends all of it."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2])) if match else None
