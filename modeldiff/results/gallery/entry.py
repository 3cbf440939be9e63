"""What an entry of the gallery says of itself, as a small JSON file beside its result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from modeldiff.errors import ResultError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

DOCUMENT = "modeldiff/gallery/1"
"""What the file says that it is. The number changes with what readers rely on."""
MAX_ENTRY_BYTES = 16_384
MAX_TEXT = 400
"""Characters of a title, a note, a source or a licence."""
ENTRY_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class GallerySide:
    """One of the two models: its ``name`` for people; its public ``source``, a reference or an
    address that others can open; its ``licence``; and the ``fingerprint`` of the files that were
    measured."""

    name: str
    source: str
    licence: str
    fingerprint: str


@dataclass(frozen=True)
class GalleryEntry:
    """A pair in the gallery.

    ``name`` is that of its files. ``title`` and ``note`` are for people; the note says what the
    pair is, and what it is not. ``date`` is the day of the measurement, as in ISO 8601.
    """

    name: str
    title: str
    note: str
    date: str
    base: GallerySide
    target: GallerySide


def licences_text(entry: GalleryEntry) -> str:
    """The licences of base and target, each once."""
    return ", ".join(dict.fromkeys((entry.base.licence, entry.target.licence)))


def entry_json(entry: GalleryEntry) -> bytes:
    """The content of an entry's file; its name is not in it."""
    content = {"document": DOCUMENT, **asdict(entry)}
    del content["name"]
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode()


def parse_entry(name: str, content: bytes) -> GalleryEntry:
    """The entry called ``name`` that a file's ``content`` describes. Raises ``ResultError``."""
    try:
        if not ENTRY_NAME.fullmatch(name):
            raise ValueError("its name is not of small letters, digits, dots and hyphens")
        if len(content) > MAX_ENTRY_BYTES:
            raise ValueError("it is too large")
        values = json.loads(content)
        if not isinstance(values, dict) or values.get("document") != DOCUMENT:
            raise ValueError(f"it does not say that it is {DOCUMENT}")
        sides = {side: GallerySide(**_texts(values.get(side), GallerySide)) for side in _SIDES}
        rest = {key: value for key, value in values.items() if key not in (*_SIDES, "document")}
        return GalleryEntry(name, **_texts(rest, GalleryEntry, ("name", *_SIDES)), **sides)  # type: ignore[arg-type]
    except (ValueError, RecursionError) as error:
        raise ResultError(
            f"The gallery's entry {quoted(name)} can't be read: {error}.",
            hint="Make it anew: python -m scripts.gallery add BASE TARGET --title …",
        ) from error


_SIDES = ("base", "target")


def _texts(values: Any, kind: type[Any], others: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The texts that a ``kind`` is made of, apart from the ``others``."""
    wanted = {field.name for field in fields(kind)} - set(others)
    if not isinstance(values, dict) or set(values) != wanted:
        raise ValueError(f"it has to hold {', '.join(sorted(wanted))} and nothing else")
    for key, value in values.items():
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise ValueError(f"its {key} is no text of at most {MAX_TEXT} characters")
    return values
