"""A file of torch.save, opened: the object in it, and where each storage lies.

Since torch 1.6 it is a zip archive: ``data.pkl`` is the object, ``data/0`` and so on are the
storages; TorchScript's are the same with code beside them. Before, it was five pickles one behind
the other, then each storage's number of elements and its values. Format:
``torch/serialization.py``, ``_save`` and ``_legacy_save``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.checkpoints.formats.pytorch.pickle_machine import (
    MAX_PICKLE,
    Machine,
    NotReadable,
    TooShort,
)
from modeldiff.checkpoints.formats.pytorch.records import Call, Storage
from modeldiff.checkpoints.formats.pytorch.zip_directory import (
    SIGNATURE,
    Member,
    data_offset,
    members,
)
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_FIRST_READ = 1 << 20
_STORAGES = ("data/", "tensors/", "storages/")
_COPY_AGAIN = "Download or copy the file again."


@dataclass(frozen=True)
class Archive:
    """``root`` is the object that was saved. ``storages`` gives the byte of the file at which each
    begins, and its bytes, by key. ``head_bytes``: how much of the file's beginning describes it.
    ``names`` are the paths of all that its pickles would import."""

    file: str
    root: Any
    storages: Mapping[str, tuple[int, int]]
    head_bytes: int
    names: frozenset[str]


def read_archive(data: ByteRange) -> Archive:
    """Open what torch.save wrote. Raises ``UnsupportedFormat`` where it is something else or
    compressed or big-endian, ``DamagedCheckpoint`` where it is cut off or contradicts itself."""
    start = data.read(0, min(4, data.size))
    try:
        return _of_zip(data) if start == SIGNATURE else _of_pickles(data)
    except NotReadable as error:
        kind = DamagedCheckpoint if isinstance(error, TooShort) else UnsupportedFormat
        raise kind(
            f"{data.where} cannot be read as a file of torch.save: its pickle {error}.",
            hint=f"{_COPY_AGAIN} If it is whole, save its state dict with torch.save, or the model "
            "with save_pretrained.",
        ) from error


def _of_zip(archive: ByteRange) -> Archive:
    by_name = members(archive)
    pickled = next((name for name in by_name if _is_root(name)), None)
    if pickled is None:
        raise UnsupportedFormat(
            f"{archive.where} is a zip archive that torch.save did not write: it holds no "
            "data.pkl.",
            hint="Unpack it, and give the folder or file that was in it.",
        )
    prefix = pickled.removesuffix("data.pkl")
    order = by_name.get(f"{prefix}byteorder")
    if order is not None and _content(archive, order, 16).strip() != b"little":
        raise _big_endian(archive)
    machine = Machine(_content(archive, by_name[pickled], MAX_PICKLE))
    root = machine.run()
    storages: dict[str, tuple[int, int]] = {}
    for name, member in by_name.items():
        inner = name.removeprefix(prefix)
        if name.startswith(prefix) and inner.startswith(_STORAGES):
            _require_stored(archive, member)
            key = inner.partition("/")[2]
            storages[key] = archive.begin + data_offset(archive, member), member.nbytes
    head = data_offset(archive, by_name[pickled]) + by_name[pickled].nbytes
    return Archive(archive.file, root, storages, head, frozenset(machine.names))


def _is_root(name: str) -> bool:
    """Whether it is ``data.pkl``, in the archive's one folder or in none."""
    folder, _, last = name.rpartition("/")
    return last == "data.pkl" and "/" not in folder


def _content(archive: ByteRange, member: Member, most: int) -> bytes:
    _require_stored(archive, member)
    if member.nbytes > most:
        raise UnsupportedFormat(
            f"{archive.where}: {quoted(member.name)} has {member.nbytes:,} bytes, more than the "
            f"{most:,} that are read.",
            hint="Save the model's state dict alone, without what else a training run keeps.",
        )
    return archive.read(data_offset(archive, member), member.nbytes)


def _require_stored(archive: ByteRange, member: Member) -> None:
    if not member.stored:
        raise UnsupportedFormat(
            f"{archive.where}: {quoted(member.name)} is compressed, and torch.save never does "
            "that.",
            hint="Unpack the archive and pack it again without compression (zip -0), or save the "
            "state dict with torch.save.",
        )


def _of_pickles(data: ByteRange) -> Archive:
    for count in _growing(min(data.size, MAX_PICKLE)):
        raw = data.read(0, count)
        try:
            root, keys, names, at = _objects(raw, data)
            break
        except TooShort:
            if count == min(data.size, MAX_PICKLE):
                raise
    dtypes = {storage.key: storage.dtype for storage in _storages_in(root)}
    storages: dict[str, tuple[int, int]] = {}
    position = at
    for key in keys:
        elements = struct.unpack("<q", data.read(position, 8))[0]
        stored = STORED_TYPES.get(dtypes.get(str(key), "U8"))
        if stored is None or not 0 <= elements <= data.size:
            raise _damaged_pickles(data, f"storage {quoted(str(key))} is of no size or type known")
        nbytes = elements * stored.bits // 8
        if position + 8 + nbytes > data.size:
            raise _damaged_pickles(data, "it ends before its last storage")
        storages[str(key)] = data.begin + position + 8, nbytes
        position += 8 + nbytes
    return Archive(data.file, root, storages, at, names)


def _objects(raw: bytes, data: ByteRange) -> tuple[Any, list[Any], frozenset[str], int]:
    """The object, the storages' keys in the order of their values, the names that the pickles
    import, and where the values begin."""
    machine = Machine(raw)
    magic = machine.run()
    if magic != _LEGACY_MAGIC:
        raise NotReadable("is not one of torch.save")
    results, names = [magic], machine.names
    for _ in range(4):
        machine = Machine(raw, machine.at)
        results.append(machine.run())
        names = names | machine.names
    _, _, system, root, keys = results
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise _big_endian(data)
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise NotReadable("lists no storages")
    return root, keys, frozenset(names), machine.at


def _growing(most: int) -> Iterator[int]:
    count = min(_FIRST_READ, most)
    while count < most:
        yield count
        count *= 8
    yield most


def _storages_in(root: Any) -> Iterator[Storage]:
    seen: set[int] = set()
    rest = [root]
    while rest:
        value = rest.pop()
        if isinstance(value, Storage):
            yield value
        elif isinstance(value, dict | list | tuple | Call) and id(value) not in seen:
            seen.add(id(value))
            rest.extend(_parts(value))


def _parts(value: Any) -> list[Any]:
    """What a container or a record holds."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, Call):
        held = (value.arguments, value.state, value.entries, value.items)
        return [part for part in held if part is not None]
    return list(value)


def _damaged_pickles(data: ByteRange, what: str) -> DamagedCheckpoint:
    """The error that a file from before torch 1.6 contradicts itself."""
    return DamagedCheckpoint(f"{data.where} is damaged: {what}.", hint=_COPY_AGAIN)


def _big_endian(data: ByteRange) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"{data.where} holds big-endian values, which are not read.",
        hint="Load it with torch on a little-endian machine and save it again.",
    )
