"""Sealed files of the shared store: results and drill-downs, each written once.

A file's hash is checked as soon as it has come: nothing looks into bytes that are not what was
written. One that is damaged there counts as absent, and makes room for the next that is written.
"""

from __future__ import annotations

import logging
from typing import Final

from modeldiff.files.sealed_parquet import check_seal
from modeldiff.results.shared.objects import if_reachable, shared_objects

RESULTS: Final = "results/"
DRILL_DOWNS: Final = "details/"
LARGEST_SEALED = 1 << 30
"""The largest file that is taken."""
_log = logging.getLogger(__name__)


def fetch_sealed(name: str) -> bytes | None:
    """The content of the shared file ``name`` (``results/KEY.parquet``); None where there is none
    that is whole, no store is shared, or it can't be reached."""
    with if_reachable():
        objects = shared_objects()
        if objects is None:
            return None
        try:
            answer = objects.get(name, LARGEST_SEALED)
            if answer is not None:
                check_seal(answer[0])
                return answer[0]
        except ValueError as error:
            _log.warning("%s/%s can't be used: %s", objects.address, name, error)
    return None


def share_sealed(name: str, content: bytes) -> bool:
    """Put a sealed file into the shared store, if one is set, unless it is there already; whether
    it is there then. A store that can't be reached goes without it, and a warning says so."""
    with if_reachable():
        objects = shared_objects()
        if objects is None:
            return False
        if objects.create(name, content) is not None:
            return True
        there = objects.get(name, LARGEST_SEALED)
        if there is None or _is_whole(there[0]):
            return there is not None
        return objects.replace(name, content, there[1]) is not None
    return False


def drop_shared(*folders: str, names: tuple[str, ...] = ()) -> None:
    """Delete shared files: those called ``names``, and all below ``folders``. Raises
    ``SharedStoreError``."""
    objects = shared_objects()
    if objects is not None:
        below = (each.name for folder in folders for each in objects.below(folder))
        objects.delete(*names, *below)


def _is_whole(content: bytes) -> bool:
    try:
        check_seal(content)
    except ValueError:
        return False
    return True
