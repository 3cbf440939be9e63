"""torch's distributed checkpoints (DCP), as FSDP, Megatron and accelerate save them.

``.metadata`` is a pickle: which boxes every tensor was cut into, and where each lies in the
``.distcp`` files, as a small archive of torch.save of its own. Format:
``torch/distributed/checkpoint/metadata.py`` and ``filesystem.py``. Nothing in it is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NoReturn

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.pytorch.archive import read_archive
from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.checkpoints.formats.pytorch.pickle_machine import MAX_PICKLE, Machine, NotReadable
from modeldiff.checkpoints.formats.pytorch.records import Call
from modeldiff.checkpoints.formats.pytorch.stored_tensors import is_tensor, sizes_of, tensor_of
from modeldiff.checkpoints.formats.sharded.megatron import COMMON, LATEST, config_of, unstacked
from modeldiff.checkpoints.formats.weight_files import is_plain_path
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.checkpoints.tensor import Piece, TensorInfo
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

METADATA = ".metadata"
_OPTIMIZER = ("optimizer", "optim")
_OF_OPTIMIZER = re.compile(r"(chained_\d+\.)?(optimizer|optim)(\..*)?", re.DOTALL)
_COPY_AGAIN = "Copy the whole folder again."


@dataclass(frozen=True)
class Distributed:
    """The format of ``torch.distributed.checkpoint.save``."""

    name: str = "PyTorch distributed"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it; the folder itself, or the one subfolder that holds such weights."""
        if source.named or source.reference.tag:
            return None
        found = [
            name
            for name in source.list()
            if name.rpartition("/")[2] == METADATA
            and not name.rpartition("/")[0].startswith(_OPTIMIZER)
        ]
        whole = [name for name in found if name == METADATA] or _latest(source, found)
        if len(whole) > 1:
            raise UnsupportedFormat(
                f"{source.where()} holds several distributed checkpoints: "
                f"{listed(sorted(name.rpartition('/')[0] for name in whole))}.",
                hint="Give one of these folders.",
            )
        if not whole:
            return None
        folder = whole[0].rpartition("/")[0]
        words = (f"The weights are those of its subfolder {quoted(folder)}.",) if folder else ()
        return FileSet((whole[0],), warnings=words)

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        (metadata,) = files.files
        budget = OpeningBudget(source.where(source.named))
        with placing_errors(path=source.path(metadata)):
            reading = _Reading(source, metadata, budget)
            tensors = reading.tensors()
        if not tensors:
            raise NoWeights(
                f"{source.where(metadata)} names no tensors of a model.",
                hint="Check that this is the folder that was meant.",
            )
        layers = [layer for tensor in tensors for layer in unstacked(tensor, budget)]
        in_order = sorted(layers, key=lambda tensor: (tensor.file, tensor.offset))
        common = metadata.removesuffix(METADATA) + COMMON
        config = None
        if source.has(common) and not source.has(CONFIG_NAME):
            config = config_of(source, common, budget)
        return Assembly(tuple(in_order), {}, reading.warnings, reading.heads, config)


def _latest(source: Source, found: list[str]) -> list[str]:
    """Of several iterations the one that Megatron's own file calls the latest; else all."""
    try:
        number = int(source.read_small(LATEST, 100))
    except (CheckpointError, ValueError):
        return found
    return [name for name in found if name == f"iter_{number:07}/{METADATA}"] or found


class _Reading:
    """One checkpoint while it is opened."""

    def __init__(self, source: Source, metadata: str, budget: OpeningBudget) -> None:
        self._source, self._budget = source, budget
        self._folder = metadata.removesuffix(METADATA)
        self._where = source.where(metadata)
        self._files: dict[str, ByteRange] = {}
        self.warnings: tuple[str, ...] = ()
        data = ByteRange.whole(source, metadata)
        if data.size > MAX_PICKLE:
            self._fail(f"has {data.size:,} bytes, more than the {MAX_PICKLE:,} that are read")
        raw = data.read(0, data.size)
        budget.take_header(len(raw))
        self.heads = {metadata: FileHead(data.stat, len(raw), sha256(raw))}
        with budget.timed():
            try:
                self._content = _state(Machine(raw).run())
            except NotReadable as error:
                self._fail(f"cannot be read: its pickle {error}")

    def tensors(self) -> list[TensorInfo]:
        """The model's tensors, each of all its boxes. Raises ``DamagedCheckpoint`` where boxes are
        missing or contradict the metadata."""
        described = self._content.get("state_dict_metadata")
        stored = self._content.get("storage_data")
        if not isinstance(described, Mapping) or not isinstance(stored, Mapping):
            self._fail("lists no tensors and where they are stored")
        shapes = dict(self._shapes(described))
        left_out = [name for name in described if _OF_OPTIMIZER.fullmatch(str(name))]
        if left_out:
            self.warnings = (
                f"Left out: the optimizer's {counted(len(left_out), 'entry', 'entries')}.",
            )
        pieces: dict[str, list[Piece]] = {name: [] for name in shapes}
        dtypes: dict[str, str] = {}
        with self._budget.timed():
            for index, place in stored.items():
                name = _state(index).get("fqn")
                if name in shapes:
                    piece = self._piece(name, index, place, shapes[name])
                    pieces[name].append(piece)
                    if dtypes.setdefault(name, piece.dtype) != piece.dtype:
                        self._fail(f"has parts of {quoted(name)} in different types")
        missing = [name for name, shape in shapes.items() if not _whole(pieces[name], shape)]
        if missing:
            self._fail(f"names {len(missing):,} tensors that are not all there: {listed(missing)}")
        return [
            TensorInfo(name, shape, dtypes[name], tuple(pieces[name]))
            for name, shape in shapes.items()
        ]

    def _shapes(self, described: Mapping[Any, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        for name, entry in described.items():
            state = _state(entry)
            if not isinstance(name, str) or _OF_OPTIMIZER.fullmatch(name):
                continue
            if "chunks" in state:  # else bytes: a step's number, a random state
                yield name, self._sizes(state.get("size"), name)

    def _piece(self, name: str, index: Any, place: Any, shape: tuple[int, ...]) -> Piece:
        at = _state(place)
        path, offset, length = (at.get(key) for key in ("relative_path", "offset", "length"))
        if not isinstance(path, str) or not is_plain_path(path):
            self._fail(f"says that {quoted(name)} lies in {quoted(str(path))}")
        if at.get("transform_descriptors"):
            raise UnsupportedFormat(
                f"{self._where}: {quoted(name)} was compressed or encrypted as it was stored.",
                hint="Load it with torch.distributed.checkpoint and save it without transforms.",
            )
        if type(offset) is not int or type(length) is not int or offset < 0 or length < 0:
            self._fail(f"does not say where {quoted(name)} lies in {quoted(path)}")
        whole = self._file(f"{self._folder}{path}")
        if offset + length > whole.size:
            self._fail(f"says that {quoted(name)} lies beyond the end of {quoted(path)}")
        inner = ByteRange(self._source, whole.file, offset, length, whole.stat)
        archive = read_archive(inner)
        if not is_tensor(archive.root):
            self._fail(f"says that {quoted(name)} lies where no tensor is")
        box = tensor_of(archive.root, name, archive, whole.where)
        begin = _state(index).get("offset")
        start = self._sizes(begin, name) if begin is not None else (0,) * len(shape)
        inside = len(box.shape) == len(start) == len(shape) and all(
            first + size <= most for first, size, most in zip(start, box.shape, shape, strict=True)
        )
        if not inside:
            self._fail(f"has a part of {quoted(name)} that does not fit into its shape")
        (piece,) = box.pieces
        return piece._replace(start=start)

    def _file(self, name: str) -> ByteRange:
        if name not in self._files:
            self._budget.take_files(1)
            if not self._source.has(name):
                self._fail(f"names {quoted(name)}, which is not there")
            whole = self._files[name] = ByteRange.whole(self._source, name)
            start = whole.read(0, min(whole.size, 1 << 10))
            self.heads[name] = FileHead(whole.stat, len(start), sha256(start))
        return self._files[name]

    def _sizes(self, value: Any, name: str) -> tuple[int, ...]:
        sizes = sizes_of(value)
        if sizes is None:
            self._fail(f"gives {quoted(name)} a shape that no tensor has")
        return sizes

    def _fail(self, what: str) -> NoReturn:
        raise DamagedCheckpoint(f"{self._where} {what}.", hint=_COPY_AGAIN)


def _whole(pieces: list[Piece], shape: tuple[int, ...]) -> bool:
    """Whether boxes that lie in the shape can be all of it: they have as many elements. That none
    overlap is seen when they are read."""
    return bool(pieces) and sum(prod(piece.shape) for piece in pieces) == prod(shape)


def _state(value: Any) -> Mapping[str, Any]:
    """What a dataclass was pickled with."""
    state = value.state if isinstance(value, Call) else None
    return state if isinstance(state, dict) else {}
