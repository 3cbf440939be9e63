"""Entries made from results, and checked: what is published has to open anywhere, say where it is
from, and give nothing away of the machine that it was measured on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from modeldiff.errors import InvalidOption, ModeldiffError
from modeldiff.files.atomic import write_atomically
from modeldiff.findings.narrative import narrate
from modeldiff.results.gallery.collection import gallery_names, read_entry, read_entry_result
from modeldiff.results.gallery.entry import ENTRY_NAME, GalleryEntry, GallerySide, entry_json
from modeldiff.results.result import Result, ResultHeader
from modeldiff.text.quoting import quoted

MAX_ENTRY_RESULT = 4_000_000
"""Bytes of an entry's result: all that are shipped are downloaded by everybody."""
_LOCAL = re.compile(r"[~/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]")


def publish_result(result: Result, entry: GalleryEntry, folder: Path) -> None:
    """Write ``entry`` and its ``result`` as two files into ``folder``; those of the same name are
    replaced. In the result the models are called by their public sources.

    Raises ``InvalidOption`` for what may not be published, ``OSError`` where it can't be written.
    """
    from modeldiff.results.store.result_parquet import encode_result

    header = replace(
        result.header, base_reference=entry.base.source, target_reference=entry.target.source
    )
    published = replace(result, header=header)
    content = encode_result(published)
    problems = [*_entry_problems(entry, header), *_result_problems(published, len(content))]
    if problems:
        raise InvalidOption(" ".join(problems), hint="Nothing was written.")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{entry.name}.parquet", content)
    write_atomically(folder / f"{entry.name}.json", entry_json(entry))


def entry_of(
    result: Result,
    *,
    name: str,
    title: str,
    note: str,
    names: tuple[str, str],
    sources: tuple[str, str],
    licences: tuple[str, str],
) -> GalleryEntry:
    """The entry of a ``result``. ``name`` is that of its files, ``title`` and ``note`` are for
    people. Of base and target: ``names`` for people, public ``sources``, ``licences``."""
    header = result.header
    sides = [
        GallerySide(*each)
        for each in zip(
            names,
            sources,
            licences,
            (header.base_fingerprint, header.target_fingerprint),
            strict=True,
        )
    ]
    return GalleryEntry(name, title, note, header.created[:10], *sides)


def gallery_problems(folder: Path) -> Iterator[str]:
    """What is wrong with the entries in ``folder``, a sentence each; nothing where all is well.

    Looked at are both files of each entry: versions, the seal, sizes, that they belong to each
    other, that nothing in them is of one machine, and that the change can be put into words.
    """
    names = gallery_names(folder)
    if not names:
        yield f"{folder} has no entries."
    for stray in sorted({path.stem for path in folder.glob("*.parquet")} - set(names)):
        yield f"{stray}: a result without its .json."
    for name in names:
        yield from (f"{name}: {problem}" for problem in _problems_of(name, folder))


def _problems_of(name: str, folder: Path) -> Iterator[str]:
    try:
        entry, result = read_entry(name, folder), read_entry_result(name, folder)
    except ModeldiffError as error:
        yield error.message
        return
    size = (folder / f"{name}.parquet").stat().st_size
    yield from _entry_problems(entry, result.header)
    yield from _result_problems(result, size)
    if not narrate(result.changes).headline:
        yield "there are no words for its change."


def _entry_problems(entry: GalleryEntry, header: ResultHeader) -> Iterator[str]:
    if not ENTRY_NAME.fullmatch(entry.name):
        yield f"{quoted(entry.name)} is no name: take small letters, digits, dots and hyphens."
    if entry.date != header.created[:10]:
        yield f"it was measured on {header.created[:10]} and says {entry.date}."
    pairs = (
        ("base", entry.base, header.base_reference, header.base_fingerprint),
        ("target", entry.target, header.target_reference, header.target_fingerprint),
    )
    for role, side, reference, fingerprint in pairs:
        blank = [key for key, text in asdict(side).items() if not text.strip()]
        if blank:
            yield f"the {role} has no {' and no '.join(blank)}."
        if _LOCAL.match(side.source):
            yield f"the {role}'s source, {quoted(side.source)}, is a path of one machine."
        if side.source != reference or side.fingerprint != fingerprint:
            yield f"what it says of the {role} is not what was measured."
    if not entry.title.strip() or not entry.note.strip():
        yield "it needs a title and a note on what the pair is."


def _result_problems(result: Result, size: int) -> Iterator[str]:
    if size > MAX_ENTRY_RESULT:
        yield f"its result takes {size:,} bytes, of at most {MAX_ENTRY_RESULT:,}."
    if not any(change.statistics for change in result.changes):
        yield "nothing in it was measured."
    unread = json.dumps([*result.header.base_unread, *result.header.target_unread])
    if '"/' in unread:
        yield "it names files of one machine."
