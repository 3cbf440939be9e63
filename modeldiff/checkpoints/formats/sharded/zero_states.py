"""What each rank of DeepSpeed's ZeRO wrote, read without running any of it.

Format: ``deepspeed/runtime/engine.py`` (``model_states``), ``deepspeed/runtime/zero``
(``optim_states``) of https://github.com/deepspeedai/DeepSpeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.pytorch.archive import Archive, read_archive
from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.checkpoints.formats.pytorch.calls import dangerous_calls
from modeldiff.checkpoints.formats.pytorch.records import Call
from modeldiff.checkpoints.formats.pytorch.stored_tensors import is_tensor, sizes_of, tensor_of
from modeldiff.checkpoints.formats.stand_ins import LOOKED_AT, refuse_stand_in
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.checkpoints.tensor import Piece, TensorInfo
from modeldiff.errors import DamagedCheckpoint, placing_errors
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

COPY_AGAIN = "Copy the whole folder again; a checkpoint that is still written is not whole."


@dataclass(frozen=True)
class ModelStates:
    """What the first rank says of the parameters: ``groups`` of names and shapes in the order of
    the flat vectors, ``shared`` names with those that they are, and tensors that are whole."""

    groups: list[dict[str, tuple[int, ...]]]
    frozen: dict[str, tuple[int, ...]]
    shared: dict[str, str]
    buffers: list[TensorInfo]


@dataclass(frozen=True)
class OptimizerStates:
    """One rank's part: the ``vectors`` of the groups, the ``ranks`` that there were, and the gaps
    behind the parameters of each group (none where it is empty)."""

    stage: int
    ranks: int
    vectors: list[Piece]
    gaps: list[list[int]]


class RankStates:
    """Reads the ranks' files, one at a time, so that only what is wanted of them is kept."""

    def __init__(self, source: Source, budget: OpeningBudget) -> None:
        self._source, self._budget = source, budget
        self.heads: dict[str, FileHead] = {}
        self.warnings: tuple[str, ...] = ()
        self._last: tuple[str, Archive] | None = None

    def model(self, file: str) -> ModelStates:
        """Of the first rank's ``model_states``."""
        archive = self._archive(file)
        root, where = _mapping(archive.root), self._source.where(file)
        shapes = root.get("param_shapes")
        groups = [shapes] if isinstance(shapes, Mapping) else shapes
        if not isinstance(groups, list):
            fail(where, "does not name its parameters (param_shapes)")
        module, names = _mapping(root.get("module")), root.get("buffer_names")
        buffers = [
            tensor_of(module[name], name, archive, where)
            for name in _texts(names)
            if is_tensor(module.get(name))
        ]
        shared = _mapping(root.get("shared_params"))
        return ModelStates(
            [_shapes(group, where) for group in groups],
            _shapes(root.get("frozen_param_shapes") or {}, where),
            {name: other for name, other in shared.items() if _texts([name, other])[1:]},
            buffers,
        )

    def frozen(self, file: str) -> dict[str, TensorInfo]:
        """The part that a rank has of parameters that were not trained."""
        archive = self._archive(file)
        parts = _mapping(_mapping(archive.root).get("frozen_param_fragments"))
        where = self._source.where(file)
        return {
            name: tensor_of(parts[name], name, archive, where)
            for name in _texts(list(parts))
            if is_tensor(parts[name])
        }

    def optimizer(self, file: str) -> OptimizerStates:
        """Of a rank's ``optim_states``."""
        archive = self._archive(file)
        where = self._source.where(file)
        state = _mapping(_mapping(archive.root).get("optimizer_state_dict"))
        stage, ranks = _number(state.get("zero_stage")), state.get("partition_count")
        counts = [_number(count) for count in (ranks if isinstance(ranks, list) else [ranks])]
        if stage not in (1, 2, 3) or not counts or min(counts) < 1:
            fail(where, "is of no stage of ZeRO that is known (1, 2 or 3)")
        vectors = state.get("fp32_flat_groups" if stage == 3 else "single_partition_of_fp32_groups")
        if not isinstance(vectors, list) or not vectors or not all(map(is_tensor, vectors)):
            fail(where, "does not hold the weights in fp32")
        pieces: list[Piece] = []
        for number, vector in enumerate(vectors):
            tensor = tensor_of(vector, f"group {number}", archive, where)
            piece = tensor.only_piece
            if piece is None or piece.strides or len(piece.shape) != 1:
                fail(where, f"holds a group of shape {list(tensor.shape)} where a vector belongs")
            pieces.append(piece)
        gaps = state.get("param_alignment_paddings") or []
        if not _are_numbers(gaps):
            fail(where, "has paddings that are no numbers")
        return OptimizerStates(stage, max(counts), pieces, gaps)

    def _archive(self, file: str) -> Archive:
        if self._last and self._last[0] == file:
            return self._last[1]
        with placing_errors(path=self._source.path(file)):
            data = ByteRange.whole(self._source, file)
            refuse_stand_in(data.read(0, min(LOOKED_AT, data.size)), self._source.where(file))
            with self._budget.timed():
                archive = read_archive(data)
            self._budget.take_header(archive.head_bytes)
            head = data.read(0, archive.head_bytes)
            self.heads[file] = FileHead(data.stat, len(head), sha256(head))
        self.warnings = tuple(dict.fromkeys((*self.warnings, *dangerous_calls(archive.names))))
        self._last = file, archive
        return archive


def fail(where: str, what: str) -> NoReturn:
    """Raise that the file called ``where`` is not what its folder needs."""
    raise DamagedCheckpoint(f"{where} {what}.", hint=COPY_AGAIN)


def _shapes(group: Any, where: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in _mapping(group).items():
        sizes = sizes_of(value)
        if not isinstance(name, str) or sizes is None:
            fail(where, f"gives {quoted(str(name))} a shape that no tensor has")
        shapes[name] = sizes
    return shapes


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(values: Any) -> list[str]:
    """Those of a list that are texts."""
    return [v for v in values if isinstance(v, str)] if isinstance(values, list) else []


def _number(value: Any) -> int:
    """A number, or the value of an enumeration; 0 where it is neither."""
    if isinstance(value, Call) and isinstance(value.arguments, tuple):
        value = value.arguments[0] if value.arguments else None
    return value if type(value) is int else 0


def _are_numbers(groups: Any) -> bool:
    """Whether it is lists of numbers that can count elements."""
    return isinstance(groups, list) and all(
        isinstance(group, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in group)
        for group in groups
    )
