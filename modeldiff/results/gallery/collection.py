"""The entries that there are: those that come along, or those of the folder in
``MODELDIFF_GALLERY``."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.bundled import bundled
from modeldiff.results.gallery.entry import GalleryEntry, parse_entry
from modeldiff.results.result import Result
from modeldiff.results.store.untrusted import read_result_apart
from modeldiff.settings.table import GALLERY_FOLDER
from modeldiff.text.quoting import did_you_mean, quoted

GALLERY = "gallery:"
"""What the name of an entry begins with where it stands for a result."""
MOST_IN_GALLERY = 100
_log = logging.getLogger(__name__)


def gallery_folder() -> Path:
    """Where the entries are, two files each: NAME.json and NAME.parquet."""
    return GALLERY_FOLDER.value() or bundled("gallery")


def gallery_names(folder: Path | None = None) -> tuple[str, ...]:
    """The names of the entries in ``folder`` (by default the gallery's), in alphabetical order."""
    paths = itertools.islice((folder or gallery_folder()).glob("*.json"), MOST_IN_GALLERY)
    return tuple(sorted(path.stem for path in paths))


def gallery_entries() -> tuple[GalleryEntry, ...]:
    """All entries, by name. One that can't be read is left out with a logged warning."""
    entries = []
    for name in gallery_names():
        try:
            entries.append(read_entry(name))
        except ResultError as error:
            _log.warning("%s", error.message)
    return tuple(entries)


def read_entry(name: str, folder: Path | None = None) -> GalleryEntry:
    """What the entry called ``name`` says of itself. ``folder`` is another than the gallery's.
    Raises ``ResultError``."""
    return parse_entry(name, _content(name, "json", folder))


def read_entry_result(name: str, folder: Path | None = None) -> Result:
    """The result of the entry called ``name``, by itself. Raises ``ResultError``."""
    return read_result_apart(_content(name, "parquet", folder), f"{name}.parquet")


def gallery_result(name: str) -> Result:
    """The result that ``gallery:NAME`` means. Raises ``ResultError``."""
    entry = name.removeprefix(GALLERY)
    names = gallery_names()
    if entry not in names:
        raise ResultError(
            f"The gallery has no entry {quoted(entry)}.",
            hint=did_you_mean(entry, names) or "modeldiff list gallery shows them all.",
        )
    return read_entry_result(entry)


def load_gallery_result(name: str) -> Result | None:
    """As ``gallery_result``; None where there is none that can be read."""
    try:
        return gallery_result(name)
    except ResultError as error:
        _log.warning("%s", error.message)
        return None


def _content(name: str, ending: str, folder: Path | None) -> bytes:
    path = (folder or gallery_folder()) / f"{name}.{ending}"
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(
            f"{path} can't be read: {error.strerror or error}.",
            hint="An entry of the gallery is two files, NAME.json and NAME.parquet.",
        ) from error
