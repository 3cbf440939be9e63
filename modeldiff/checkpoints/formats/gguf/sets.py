"""Which of a folder's GGUF files make up a model, and the tags that tell several models apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed

SUFFIX = ".gguf"
MAGIC = b"GGUF"
"""What a file begins with."""
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf", re.ASCII)
_BESIDE = re.compile(r"(mmproj|mtp-|eagle3-|dflash-|dspark-).*|.*imatrix.*", re.IGNORECASE)
"""What lies beside models: eyes, drafters, and what quantisers weigh errors by."""
_TAG = re.compile(
    r"(?:^|[-._/])(?P<tag>(?:UD-)?(?:I?Q\d\w*|TQ\d\w*|BF16|F16|F32|MXFP4\w*|NVFP4\w*))$",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class GgufSet:
    """The files of one model. ``tag`` is its type as its name says it, else the name."""

    tag: str
    files: tuple[str, ...]


def split_files(file: str) -> tuple[str, ...]:
    """All files of the split that ``file`` is one of, in order; the file alone if of none."""
    match = _SPLIT.fullmatch(file)
    if match is None:
        return (file,)
    stem, total = match["stem"], int(match["total"])
    return tuple(f"{stem}-{number:05d}-of-{total:05d}{SUFFIX}" for number in range(1, total + 1))


def gguf_sets(names: Collection[str]) -> tuple[GgufSet, ...]:
    """The models among a folder's or repository's names, those of a split by its first file."""
    sets = []
    for name in sorted(names):
        if not name.lower().endswith(SUFFIX) or _BESIDE.fullmatch(name.rpartition("/")[2]):
            continue
        match = _SPLIT.fullmatch(name)
        if match is None:
            stem = name[: -len(SUFFIX)]
            sets.append(GgufSet(_tag(stem), (name,)))
        elif int(match["number"]) == 1:
            sets.append(GgufSet(_tag(match["stem"]), split_files(name)))
    counts: dict[str, int] = {}
    for each in sets:
        counts[each.tag.casefold()] = counts.get(each.tag.casefold(), 0) + 1
    return tuple(
        each if counts[each.tag.casefold()] == 1 else GgufSet(_stem(each.files[0]), each.files)
        for each in sets
    )


def choose_set(names: Collection[str], tag: str, where: str) -> GgufSet | None:
    """The model that ``tag`` means, or the only one; None where there is none.

    Raises ``UnsupportedFormat`` where there are several and no tag, listing theirs, and
    ``DamagedCheckpoint`` where a part of a split is missing.
    """
    sets = gguf_sets(names)
    if tag:
        wanted = tag.casefold()
        meant = [s for s in sets if wanted in (s.tag.casefold(), _stem(s.files[0]).casefold())]
        if len(meant) != 1:
            return None
        chosen = meant[0]
    elif len(sets) > 1:
        raise UnsupportedFormat(
            f"{where} holds several sets of weights: "
            f"{listed((each.tag for each in sets), limit=20)}.",
            hint=f"Name one with its tag behind a colon, as in {where}:{sets[0].tag}, or give the "
            "path of one .gguf file.",
            choices=tuple(f":{each.tag}" for each in sets),
        )
    elif not sets:
        _require_first_part(names, where)
        return None
    else:
        chosen = sets[0]
    missing = sorted(set(chosen.files) - set(names))
    if missing:
        refuse_missing(chosen.files, missing, where)
    return chosen


def refuse_missing(files: Collection[str], missing: Collection[str], where: str) -> None:
    """Raise ``DamagedCheckpoint`` that names the missing parts."""
    raise DamagedCheckpoint(
        f"{where}: {len(missing):,} of {len(files):,} parts are missing: {listed(missing)}.",
        hint="Download or copy the missing files, then open it again.",
    )


def _require_first_part(names: Collection[str], where: str) -> None:
    parts = sorted(name for name in names if _SPLIT.fullmatch(name))
    if parts:
        whole = split_files(parts[0])
        refuse_missing(whole, sorted(set(whole) - set(parts)), where)


def _stem(file: str) -> str:
    match = _SPLIT.fullmatch(file)
    return match["stem"] if match else file[: -len(SUFFIX)]


def _tag(stem: str) -> str:
    match = _TAG.search(stem)
    return match["tag"].upper() if match else stem


def parts_metadata_mismatch(number: int, total: int, metadata: Mapping[str, object]) -> str:
    """What is wrong with part ``number`` (from 0) of ``total``; empty where it says the same."""
    said = metadata.get("split.no"), metadata.get("split.count")
    if said == (number, total):
        return ""
    return (
        f"its name says part {number + 1} of {total}, its metadata {said[0]} (from 0) of {said[1]}"
    )
