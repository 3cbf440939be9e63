"""Checkpoints that are at hand: in the folders that may be opened, and in the Hub's cache here.

Looks are bounded and one level down; nothing is opened, and no link to a folder is followed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modeldiff.checkpoints.local.allowed_paths import allowed_roots, is_allowed
from modeldiff.checkpoints.local.surroundings import weights_below
from modeldiff.settings.startup import is_server
from modeldiff.settings.table import (
    HF_HOME,
    HF_HUB_CACHE,
    HUB,
    HUGGINGFACE_HUB_CACHE,
    XDG_CACHE_HOME,
)

MOST_NEARBY = 200
"""So many are listed at most, of folders and of repositories each."""
_CACHED = re.compile(r"models--(?P<owner>(?:(?!--)[^/])+)--(?P<name>(?:(?!--)[^/])+)")
_MOST_CACHED = 2_000


def nearby_folders(*beside: str) -> tuple[str, ...]:
    """Folders that hold weights, as references: in the allowed roots (where there are none, and
    nobody else is looking, in the folder that the app runs in), and beside and below the folders
    ``beside``."""
    places = list(allowed_roots()) if is_server() else [Path.cwd()]
    for text in beside:
        path = Path(text)
        if path.is_absolute() and is_allowed(path.parent) and path.is_dir():
            places += [path, path.parent]
    folders: dict[str, None] = {}
    for place in dict.fromkeys(places):
        for name in weights_below(place):
            folder = str(place / name.rpartition("/")[0])
            if "/snapshots/" not in folder and is_allowed(Path(folder)):
                folders.setdefault(folder)
            if len(folders) >= MOST_NEARBY:
                return tuple(folders)
    return tuple(folders)


def cached_repositories() -> tuple[str, ...]:
    """Repositories of models in the Hub's cache on this machine that may be opened, as
    ``owner/name``; on a server those alone that everybody may know of."""
    from modeldiff.checkpoints.hub.visibility import is_for_everybody  # late: asks for the client

    allowed = filter(HUB.value().allows, _cached())
    return tuple(itertools.islice(filter(is_for_everybody, allowed), MOST_NEARBY))


def _cached() -> Iterator[str]:
    with suppress(OSError), os.scandir(_hub_cache()) as entries:
        names = sorted(entry.name for entry in itertools.islice(entries, _MOST_CACHED))
        for name in names:
            if cached := _CACHED.fullmatch(name):
                yield f"{cached['owner']}/{cached['name']}"


def _hub_cache() -> Path:
    """Where huggingface_hub keeps what it downloads, by the variables that it reads."""
    if cache := HF_HUB_CACHE.value() or HUGGINGFACE_HUB_CACHE.value():
        return cache
    user_cache = XDG_CACHE_HOME.value() or Path.home() / ".cache"
    return (HF_HOME.value() or user_cache / "huggingface") / "hub"
