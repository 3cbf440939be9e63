"""Which files of a folder or repository are its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import NoReturn

from modeldiff.checkpoints.formats.stand_ins import refuse_stand_in
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import Source
from modeldiff.errors import (
    CheckpointError,
    DamagedCheckpoint,
    NoWeights,
    UnsupportedFormat,
    placing_errors,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted
from modeldiff.text.quoting import listed, quoted

MAX_INDEX_BYTES = 25_000_000
"""Longest index that is read: five times that of the largest models published."""

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{3,9})-of-(?P<total>\d{3,9})", re.ASCII)
_PART = re.compile(r".+/[^/]+\.safetensors|.+/pytorch_model[^/]*\.bin")
"""Weights in a subfolder: of another part of the model, of an earlier save, of another type."""


@dataclass(frozen=True)
class FileNames:
    """How a format's files are called: they end in one of the ``suffixes``, and the set called
    ``first`` is taken where there are several, unless another is asked for: one called
    ``first.fp16`` by its variant, ``fp16``, any by its name. An index is called as the files, with
    ``.index.json`` behind, or ``.index.fp16.json``."""

    first: str
    suffixes: tuple[str, ...]

    def stem(self, name: str) -> str:
        """The name without the suffix; empty where it has another."""
        for suffix in self.suffixes:
            if name.lower().endswith(suffix):
                return name[: -len(suffix)]
        return ""

    def tag(self, stem: str) -> str:
        """What asks for the set of this stem."""
        return stem.removeprefix(f"{self.first}.")


SAFETENSORS = FileNames("model", (".safetensors",))
PYTORCH = FileNames("pytorch_model", (".bin", ".pt", ".pth", ".ckpt"))
_INDEX = re.compile(r"(?P<file>.+)\.index(?:\.(?P<variant>[\w-]+))?\.json", re.ASCII)


@dataclass(frozen=True)
class Index:
    """A parsed ``*.index.json``: which file should hold which tensor, and the bytes of
    all tensors as the index counts them."""

    weight_map: Mapping[str, str]
    total_size: int | None

    @property
    def files(self) -> tuple[str, ...]:
        """The shards, by name."""
        return tuple(sorted(set(self.weight_map.values())))


@dataclass(frozen=True)
class WeightFiles:
    """The files that make up one checkpoint. Where ``index`` names one, it lists the files, and
    ``files`` are those that are complete by their numbers, if there are such. ``beside`` is an
    index that was left aside for a file of the same name."""

    files: tuple[str, ...] = ()
    index: str | None = None
    beside: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass
class _Set:
    """Files that share a stem: ``model.safetensors``, its index, or numbered shards."""

    single: str | None = None
    index: str | None = None
    shards: dict[int, dict[int, str]] = field(default_factory=dict)  # total → number → file


def choose_weights(
    names: Collection[str], where: str, naming: FileNames = SAFETENSORS, tag: str = ""
) -> WeightFiles | None:
    """Choose among a folder's file names as transformers does: ``model.safetensors`` first, then
    its index, then numbered shards without an index; other stems where there is no ``model``. With
    a ``tag`` the set that it asks for. None where there is no such file of this ``naming``.

    Raises ``UnsupportedFormat`` (several candidates) and ``DamagedCheckpoint`` (a shard is
    missing).
    """
    sets = _group(names, naming)
    if tag:
        wanted = tag.casefold()
        sets = {s: sets[s] for s in sets if wanted in (naming.tag(s).casefold(), s.casefold())}
    if not sets:
        return None
    with_index = [stem for stem in sets if sets[stem].index]
    if naming.first in sets:
        stem = naming.first
    elif len(with_index) == 1:
        stem = with_index[0]
    elif len(sets) == 1:
        stem = next(iter(sets))
    else:
        raise UnsupportedFormat(
            f"{where} holds several sets of weights: {listed(sorted(sets), limit=6)}.",
            hint=f"Name one behind a colon, as in {where}:{naming.tag(min(sets))}, or give the "
            f"path of one of the {naming.suffixes[0]} files.",
            choices=tuple(f":{naming.tag(stem)}" for stem in sorted(sets)),
        )
    chosen = sets[stem]
    if chosen.single:
        return WeightFiles((chosen.single,), beside=chosen.index)
    if chosen.index:
        complete = _complete_sets(chosen.shards)
        return WeightFiles(complete[0] if len(complete) == 1 else (), chosen.index)
    warning = "There is no index; the shards were found by their names."
    return WeightFiles(_complete(chosen.shards, where), warnings=(warning,))


def set_tags(names: Collection[str], naming: FileNames) -> tuple[str, ...]:
    """The tags that ``choose_weights`` takes among these names, in their order."""
    return tuple(naming.tag(stem) for stem in sorted(_group(names, naming)))


def refuse_tag(source: Source) -> None:
    """Raise ``UnsupportedFormat`` where a reference asks for one of several sets of weights in a
    file that can only hold one."""
    if source.reference.tag:
        raise UnsupportedFormat(
            f"{source.where(source.named)} holds one set of weights, none that is called "
            f"{quoted(source.reference.tag)}.",
            hint="Leave out the colon and what stands behind it.",
        )


def other_shards(file: str) -> str:
    """What a file that is one of several shards by its name lacks, in words: ``3 other shards``;
    empty for any other file."""
    stem, _, suffix = file.rpartition("/")[2].rpartition(".")
    shard = _SHARD.fullmatch(stem)
    known = f".{suffix.lower()}" in (*SAFETENSORS.suffixes, *PYTORCH.suffixes)
    others = int(shard["total"]) - 1 if shard and known else 0
    return counted(others, "other shard") if others > 0 else ""


def unread_folders(names: Collection[str], files: Collection[str]) -> list[str]:
    """The subfolders whose weights are not among the ``files``."""
    rest = set(names) - set(files)
    return sorted({name.rpartition("/")[0] for name in rest if _PART.fullmatch(name)})


def with_subfolders(
    error: CheckpointError, names: Collection[str], reference: Reference
) -> CheckpointError:
    """``error``; where it says that there are no weights and some of the ``names`` are in
    subfolders, one that names these, as ``reference`` would be written for them."""
    folders = unread_folders(names, ()) if isinstance(error, NoWeights) else []
    if not folders:
        return error
    return NoWeights(
        error.message,
        hint=f"Give one of its subfolders that hold some: "
        f"{listed((reference.choosing(f'/{folder}') for folder in folders), limit=6)}.",
        choices=tuple(f"/{folder}" for folder in folders),
    )


def left_aside(
    names: Collection[str], files: Collection[str], naming: FileNames = SAFETENSORS
) -> tuple[str, ...]:
    """Warnings that name the other weight files of this ``naming``, those in subfolders by their
    folder."""
    rest = set(names) - set(files)
    beside = sorted(name for name in rest if "/" not in name and naming.stem(name))
    parts = unread_folders(names, files)
    beside += sorted(name for name in rest if "/" not in name and name.lower().endswith(".gguf"))
    warnings = []
    if beside:
        warnings.append(f"Other weights beside these were left aside: {listed(beside)}.")
    if parts:
        warnings.append(
            f"Weights in subfolders were not read: {listed(parts)}. What is said here is of the "
            "weights beside them alone."
        )
    return tuple(warnings)


def shards_of(
    index: Index, complete: tuple[str, ...], present: Collection[str], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files that ``index`` means, and warnings. Where none of those that it names is among the
    ``present``, it is of an earlier save, and the shards that are ``complete`` by their numbers are
    taken.

    Raises ``DamagedCheckpoint`` where shards are missing.
    """
    missing = sorted(set(index.files) - set(present))
    if not missing:
        return index.files, ()
    if complete and len(missing) == len(index.files):
        return complete, (
            f"The index is of another save: it names {listed(missing)}, which are not here. The "
            f"{len(complete):,} shards that are here are complete by their numbers and were taken.",
        )
    raise DamagedCheckpoint(
        f"{where}: {len(missing):,} of {len(index.files):,} shards are missing: {listed(missing)}.",
        hint="Download or copy the missing files, then open it again.",
    )


def read_index(
    source: Source, chosen: WeightFiles
) -> tuple[tuple[str, ...], Index | None, tuple[str, ...]]:
    """The ``chosen`` files, by their index where they have one, that index, and warnings.

    Raises ``DamagedCheckpoint`` where the index is none or shards are missing, and what
    ``Source.read_small`` raises.
    """
    if chosen.index is None:
        return chosen.files, None, chosen.warnings
    with placing_errors(path=source.path(chosen.index)):
        raw = source.read_small(chosen.index, MAX_INDEX_BYTES)
        index = parse_index(raw, source.where(chosen.index))
    present = list(filter(source.has, index.files))
    files, warnings = shards_of(index, chosen.files, present, source.where())
    return files, index, warnings


def parse_index(raw: bytes, where: str) -> Index:
    """Read an index. Raises ``DamagedCheckpoint`` where it is none, or where it names a file that
    is not plainly inside the folder."""

    def fail(what: str) -> NoReturn:
        raise DamagedCheckpoint(
            f"{where} {what}.", hint="Download the index again, or save the model anew."
        )

    refuse_stand_in(raw, where)
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        fail("is not valid JSON")
    weight_map = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        fail("has no weight_map")
    files = set()
    for file in weight_map.values():
        if not isinstance(file, str):
            fail("maps a tensor to something that is not a file name")
        files.add(file)
    for file in files:
        if not is_plain_path(file):
            fail(f"points to {quoted(file)}, which is not a file name inside the folder")
    metadata = parsed.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return Index(weight_map, total if type(total) is int else None)


def is_plain_path(name: str) -> bool:
    """Whether a name from outside is a relative path that goes down only, on any system."""
    parts = re.split(r"[/\\]", name)
    return ":" not in name and name.isprintable() and not {"", ".", ".."} & set(parts)


def _group(names: Collection[str], naming: FileNames) -> dict[str, _Set]:
    sets: dict[str, _Set] = {}
    for name in sorted(names):
        if "/" in name:
            continue
        index = _INDEX.fullmatch(name)
        if index and (stem := naming.stem(index["file"])):
            stem = f"{stem}.{index['variant']}" if index["variant"] else stem
            sets.setdefault(stem, _Set()).index = name
        elif stem := naming.stem(name):
            if shard := _SHARD.fullmatch(stem):
                numbered = sets.setdefault(shard["stem"], _Set()).shards
                numbered.setdefault(int(shard["total"]), {})[int(shard["number"])] = name
            else:
                sets.setdefault(stem, _Set()).single = name
    return sets


def _complete(shards: dict[int, dict[int, str]], where: str) -> tuple[str, ...]:
    """The files of the one total whose numbers run from 1 to it without a gap."""
    complete = _complete_sets(shards)
    if len(complete) == 1:
        return complete[0]
    if complete:
        raise UnsupportedFormat(
            f"{where} holds shards of {len(shards):,} saves, one of {min(shards):,} files and one "
            f"of {max(shards):,}.",
            hint="Remove the shards of the older save, or give a folder with one set.",
        )
    total, files = max(shards.items(), key=lambda item: len(item[1]))
    raise DamagedCheckpoint(
        f"{where} has {len(files):,} of {total:,} shards, and no index.",
        hint="Download or copy the missing files, then open it again.",
    )


def _complete_sets(shards: dict[int, dict[int, str]]) -> list[tuple[str, ...]]:
    """The files of each total whose numbers run from 1 to it without a gap."""
    return [
        tuple(sorted(files.values()))
        for total, files in shards.items()
        if set(files) == set(range(1, total + 1))
    ]
