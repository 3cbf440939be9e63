"""The headers of results that a team shares: of each, only the end of its file is fetched, once."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.sealed_file import read_sealed, write_sealed
from modeldiff.files.sealed_parquet import UNREADABLE, sealed_footer
from modeldiff.results.result import ResultHeader, is_key
from modeldiff.results.shared.objects import (
    SharedObject,
    SharedObjects,
    if_reachable,
    shared_objects,
)
from modeldiff.results.shared.sealed_files import RESULTS

_SECONDS_FRESH = 10.0
"""So old a list is still shown: pages ask for it again and again."""
_LAST_BYTES = 1 << 16
"""As much of a file's end as is fetched at first: nearly every footer is shorter."""
_AT_ONCE = 16
_log = logging.getLogger(__name__)


class _Lists:
    """The last list of each store, and when it was made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, tuple[SharedObject, ...]]] = {}

    def of(self, objects: SharedObjects) -> tuple[SharedObject, ...]:
        with self._lock:  # who comes meanwhile takes the same
            made, listed = self._last.get(objects.address, (-_SECONDS_FRESH, ()))
            if time.monotonic() - made >= _SECONDS_FRESH:
                listed = objects.below(RESULTS)
                self._last[objects.address] = time.monotonic(), listed
            return listed

    def forget(self) -> None:
        with self._lock:
            self._last.clear()


_LISTS = _Lists()
forget_shared_list = _LISTS.forget
"""Ask the store anew for its list, the next time."""


def shared_headers(known: Collection[str]) -> list[ResultHeader]:
    """The headers of shared results whose keys are not among the ``known`` ones. Those that can't
    be read are left out with a logged warning; none are there while the store can't be reached."""
    with if_reachable():
        objects = shared_objects()
        if objects is None:
            return []
        wanted = [
            each
            for each in _LISTS.of(objects)
            if is_key(key := _key(each)) and key not in known and each.tag
        ]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="shared headers") as threads:
            headers = threads.map(lambda each: _header(objects, each), wanted)
            return [header for header in headers if header is not None]
    return []


def _header(objects: SharedObjects, result: SharedObject) -> ResultHeader | None:
    from modeldiff.results.store.result_parquet import OtherSchema, decode_footer

    kept = _kept_at(objects, result)
    try:
        footer = read_sealed(kept)
        if footer is None:
            footer = _fetch(objects, result)
            write_sealed(kept, footer)
        header = decode_footer(footer)
        if header.key != _key(result):
            raise ValueError("it answers another question than its name says")
    except OtherSchema:
        return None
    except UNREADABLE as error:
        _log.warning("%s/%s is skipped: %s", objects.address, result.name, error)
        return None
    return header


def _fetch(objects: SharedObjects, result: SharedObject) -> bytes:
    first = max(0, result.nbytes - _LAST_BYTES)
    last = objects.get_part(result.name, result.tag, first, result.nbytes - first) or b""

    def read(start: int, count: int) -> bytes:
        if start >= first:
            return last[start - first :][:count]
        return objects.get_part(result.name, result.tag, start, count) or b""

    return sealed_footer(result.nbytes, read)


def _kept_at(objects: SharedObjects, result: SharedObject) -> Path:
    """Where the footer of this very content is kept, whatever the store calls it."""
    which = f"sealed\n{objects.address}\n{result.name}\n{result.tag}"
    return cache_folder("shared") / f"{hashlib.sha256(which.encode()).hexdigest()}.footer"


def _key(result: SharedObject) -> str:
    return result.name.removeprefix(RESULTS).removesuffix(".parquet")
