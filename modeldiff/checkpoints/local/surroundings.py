"""What lies around weights on this machine: subfolders that hold some, the Hub's cache, downloads
that were not finished. All looks are bounded, one level down, and follow no link to a folder."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modeldiff.text.natural_order import natural_order

MOST_FOLDERS = 300
_MOST_ENTRIES = 2_000
"""Subfolders that are looked into, and names that are looked at in each."""
_WEIGHTS = re.compile(
    r"[^/]+\.(safetensors|distcp)|pytorch_model[^/]*\.bin|\.metadata|[^/]+_(model|optim)_states\.pt"
)
_CACHED = re.compile(r"models--.+--.+")
_SNAPSHOT = re.compile(r"[\w-][\w.-]{0,99}", re.ASCII)
_LONGEST_REVISION = 200


def weights_below(folder: Path) -> list[str]:
    """Weight files of the subfolders, as ``subfolder/file``, in natural order; of a repository in
    the Hub's cache those of its snapshots."""
    names = []
    for path in itertools.islice(_below(folder), MOST_FOLDERS):
        weights = sorted(name for name in _names(folder / path) if _WEIGHTS.fullmatch(name))
        names += [f"{path}/{name}" for name in weights]
    return names


def holds_weights(folder: Path) -> bool:
    """Whether weight files lie in the folder itself."""
    return any(_WEIGHTS.fullmatch(name) for name in _names(folder))


def _below(folder: Path) -> Iterator[str]:
    """The subfolders that may hold weights."""
    for name in _folders(folder):
        if _CACHED.fullmatch(name):
            yield from (f"{name}/snapshots/{each}" for each in _snapshots(folder / name))
        elif name == "snapshots":
            yield from (f"{name}/{each}" for each in _snapshots(folder))
        else:
            yield name


def cached_snapshot(folder: Path) -> Path | None:
    """The snapshot that is meant by ``folder``, where this is a repository in the Hub's cache: the
    branch ``main``'s, or the only one."""
    if not _CACHED.fullmatch(folder.name):
        return None
    snapshots = _snapshots(folder)
    main = _revision(folder / "refs" / "main")
    chosen = main if main in snapshots else snapshots[0] if len(snapshots) == 1 else None
    return folder / "snapshots" / chosen if chosen else None


def names_beside(path: Path) -> list[str]:
    """The names in the folder that ``path`` is in, a bounded number of them."""
    return list(_names(path.parent))


def unfinished_downloads(folder: Path) -> int:
    """How many files a download into ``folder``, or into the cache that it is of, left behind."""
    places = [folder, folder / ".cache" / "huggingface" / "download", folder / "blobs"]
    if folder.parent.name == "snapshots":
        places.append(folder.parent.parent / "blobs")
    return sum(name.endswith(".incomplete") for place in places for name in _names(place))


def _folders(folder: Path) -> list[str]:
    """The names of the subfolders, in natural order, hidden ones and links left out."""
    names: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        names.extend(
            entry.name
            for entry in itertools.islice(entries, _MOST_ENTRIES)
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        )
    return sorted(names, key=natural_order)[:MOST_FOLDERS]


def _snapshots(repository: Path) -> list[str]:
    """The names of a cached repository's snapshots."""
    folder = repository / "snapshots"
    return [] if folder.is_symlink() else _folders(folder)


def _names(folder: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, _MOST_ENTRIES):
            yield entry.name


def _revision(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        if path.stat().st_size <= _LONGEST_REVISION and path.is_file():
            name = path.read_text().strip()
            return name if _SNAPSHOT.fullmatch(name) else ""
    return ""
