"""What lies in the cache: its files by kind, and what each takes."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.plain_file import is_linked_by_others
from modeldiff.processes.late_dataclass import dataclass

_HASH = "[0-9a-f]" * 8 + "*"


@dataclass(frozen=True)
class CacheKind:
    """A kind of file in the cache: its ``name``, its ``folder`` there and the ``pattern`` of its
    files.

    ``days``: so long without use, and it goes; None where a setting says. ``counts``: it makes room
    for others where the cache is full.
    """

    name: str
    folder: str
    pattern: str
    days: int | None
    counts: bool = True


CACHE_KINDS = (
    CacheKind("results", "results", "*.parquet", None),
    CacheKind("drill-downs", "results/details", "*/*.parquet", None),
    CacheKind("given", "given", "*.parquet", None),
    CacheKind("configs", "configs", "*.json", 365),
    CacheKind("configs", "configs", "*/*.json", 365),
    CacheKind("hub", "hub", _HASH, 90),
    CacheKind("asked", "asked", "*.json", 365, counts=False),
    CacheKind("headers", "shared", "*.footer", 90, counts=False),
    CacheKind("journals", "results", "*.journal", 90, counts=False),
    CacheKind("kernels", "kernels", "*.o", 180, counts=False),
    CacheKind("locks", "results", "*.lock", 1, counts=False),
    *(CacheKind("queue", "queue", pattern, 1, counts=False) for pattern in ("*.json", "*.status")),
    CacheKind("leftovers", "results", "*.bad", 30, counts=False),
    *(
        CacheKind("leftovers", folder, pattern, 1, counts=False)
        for folder in (
            "results",
            "results/details",
            "given",
            "configs",
            "hub",
            "kernels",
            "queue",
            "asked",
            "shared",
        )
        for pattern in (".modeldiff-*.tmp", "*/.modeldiff-*.tmp")
    ),
)
"""What is of none of these kinds is not ours, and left alone."""
KIND_NAMES = tuple(dict.fromkeys(kind.name for kind in CACHE_KINDS))


@dataclass(frozen=True)
class CacheEntry:
    """A file of the cache: its kind, its path, its bytes, and when it was last used (seconds since
    1970; where the disk notes no reading, when it was written)."""

    kind: CacheKind
    path: Path
    nbytes: int
    used: float


def cache_entries() -> tuple[CacheEntry, ...]:
    """All files of the cache, those first that were not used for longest."""
    entries = {entry.path: entry for kind in CACHE_KINDS for entry in _entries(kind)}
    return tuple(sorted(entries.values(), key=lambda entry: (entry.used, str(entry.path))))


def _entries(kind: CacheKind) -> Iterator[CacheEntry]:
    below = len(Path(kind.folder, kind.pattern).parts) - 1
    for path in cache_folder(kind.folder).glob(kind.pattern):
        try:
            status = path.lstat()
            # Where a group may write to the cache, not all that a link offers is to be deleted.
            if is_linked_by_others(path.parent, below):
                continue
        except OSError:
            continue  # gone meanwhile
        if stat.S_ISREG(status.st_mode):
            used = max(status.st_atime, status.st_mtime)
            yield CacheEntry(kind, path, status.st_size, used)
