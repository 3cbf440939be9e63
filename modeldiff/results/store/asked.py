"""Which results a user asked for: a list of keys a user, so that a chooser can name theirs first.

It says nothing of who may see a result: that follows from what may be opened here. A list that is
lost or damaged costs an order. The user's name is hashed, and no part of a result.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from modeldiff.files.atomic import write_if_possible
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.plain_file import open_plain
from modeldiff.results.result import is_key

_MOST = 500
_LARGEST = 1 << 16


def note_asked(user: str, key: str) -> None:
    """Note that ``user`` asked for the result with this ``key``."""
    keys = asked_by(user)
    if keys[:1] != (key,):
        kept = dict.fromkeys((key, *keys))
        write_if_possible(_path(user), json.dumps([*kept][:_MOST]).encode(), mode=0o600)


def asked_by(user: str) -> tuple[str, ...]:
    """The keys of the results that ``user`` asked for, the last one first."""
    try:
        with open_plain(_path(user)) as file:
            keys = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(keys, list):
        return ()
    return tuple(key for key in keys if isinstance(key, str) and is_key(key))


def _path(user: str) -> Path:
    return cache_folder("asked") / f"{hashlib.sha256(user.encode()).hexdigest()}.json"
