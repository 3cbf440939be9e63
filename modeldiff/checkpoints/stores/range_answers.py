"""A range of a file over HTTP: what asks for it, what an answer says of it, and its bytes."""

from __future__ import annotations

import http.client
import re
import time

from modeldiff.processes.late_dataclass import dataclass

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


@dataclass(frozen=True)
class ContentRange:
    """``count`` bytes from byte ``start`` on, of a file of ``size`` bytes: what a server says that
    it sends."""

    start: int
    count: int
    size: int


def conditional_range(start: int, count: int, etag: str) -> dict[str, str]:
    """The headers that ask for ``count`` bytes from byte ``start`` on, as they are stored, of the
    version with this ``etag``; a weak one or none is not asked for, as it never matches."""
    headers = {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
    return headers | ({"If-Match": etag} if etag.startswith('"') else {})


def content_range(response: http.client.HTTPResponse) -> ContentRange | None:
    """What the answer says that it holds; None where it does not say, or not in this form."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        return None
    first, last, size = map(int, match.groups())
    return ContentRange(first, last - first + 1, size)


def receive(response: http.client.HTTPResponse, buffer: memoryview, deadline: float) -> int:
    """Fill the buffer with the answer's bytes, as far as they come before ``deadline`` (seconds of
    ``time.monotonic``): how many came."""
    taken = 0
    # Straight from the connection, unless lengths of parts stand among the bytes.
    answer = response if response.chunked else response.fp
    try:
        while taken < len(buffer) and time.monotonic() < deadline:
            # readinto would wait for all of it, be it a byte a day.
            count = answer.readinto1(buffer[taken:])
            if not count:
                break
            taken += count
    except (OSError, http.client.HTTPException):
        pass  # what came is good
    return taken
