"""Ranges of objects in S3, by addresses that the library has signed: straight into the buffer.

The library hands over what it receives in memory of its own, which has to be made and copied; that
cost as much again as receiving it. It signs an address without a request. Whatever such an address
does not bring as it was asked for is left to the library, with its retries and its errors. A store
that answers otherwise than it should is not asked in this way again; one that is busy or out of
reach for a moment is, a little later.
"""

from __future__ import annotations

import http.client
import threading
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from modeldiff.checkpoints.source import FileStat
from modeldiff.checkpoints.stores.connections import connections_to_stores
from modeldiff.checkpoints.stores.range_answers import (
    ContentRange,
    conditional_range,
    content_range,
    receive,
)
from modeldiff.errors import ModeldiffError

_HOLDS = timedelta(minutes=10)
"""How long an address does: each is asked once, at once."""
_PATIENCE_SECONDS = 60
"""For one range, before the library is asked for the rest of it."""
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that say nothing of how the store answers otherwise."""
_REST_SECONDS = 1.0
"""How long the library reads alone after a failure; twice as long after each further one in a
row."""
_LONGEST_REST_SECONDS = 60.0


class _NotPossible(Exception):
    """The store answers signed addresses otherwise than it has to."""


class SignedRanges:
    """Ranges of the objects of ``store``, a client of a bucket. Any thread may ask."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._possible = True
        self._failures = 0  # in a row
        self._rests_until = 0.0

    def readinto(self, key: str, stat: FileStat, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` with bytes of the object in the state ``stat``, from byte ``offset`` on:
        how many came. After an answer that no store gives that can be asked in this way, nothing is
        asked for any more; after a failure, nothing for a while."""
        began = time.monotonic()
        if not self._possible or began < self._rests_until:
            return 0
        try:
            taken = self._fetch(key, stat, buffer, offset)
        except (_NotPossible, ValueError):  # an ETag or an address that fits in no header
            self._possible = False
            return 0
        except (ModeldiffError, OSError, http.client.HTTPException):
            taken = 0
        with self._lock:
            if taken:
                self._failures = 0
            elif began >= self._rests_until:  # else another failed at the same time
                rest = min(_REST_SECONDS * 2.0**self._failures, _LONGEST_REST_SECONDS)
                self._failures = min(self._failures + 1, 10)
                self._rests_until = time.monotonic() + rest
        return taken

    def _fetch(self, key: str, stat: FileStat, buffer: memoryview, offset: int) -> int:
        import obstore
        from obstore.exceptions import BaseError

        try:
            address = urlsplit(obstore.sign(self._store, "GET", key, _HOLDS))
        except BaseError:
            raise _NotPossible from None
        root, target = f"{address.scheme}://{address.netloc}", f"{address.path}?{address.query}"
        identity = str(stat.identity[0])
        headers = conditional_range(offset, len(buffer), identity)
        connection, response = _answer(root, target, headers)
        taken = 0
        try:
            if response.status in _BUSY:
                return 0
            asked = ContentRange(offset, len(buffer), stat.size)
            if (
                response.status != 206
                or content_range(response) != asked
                or response.headers.get("ETag") != identity
                or response.headers.get("Content-Encoding", "identity") != "identity"
                or response.length not in (None, len(buffer))
            ):
                raise _NotPossible
            taken = receive(response, buffer, time.monotonic() + _PATIENCE_SECONDS)
        finally:
            response.close()
            # The end of what comes in parts is not read.
            whole = taken == len(buffer) and not response.chunked
            if whole and connection.sock is not None:
                connections_to_stores().give_back(root, connection)
            else:
                connection.close()
        return taken


def _answer(
    root: str, target: str, headers: dict[str, str]
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    while True:
        connection, used = connections_to_stores().take(root, root)
        try:
            connection.request("GET", target, headers=headers)
            return connection, connection.getresponse()
        except (OSError, ValueError, http.client.HTTPException):
            connection.close()
            if not used:  # a server may end a connection that was idle
                raise
