"""The parameters of a model in the flat vectors of its optimizer, which ZeRO cut over the ranks.

Of stages 1 and 2 a group's vector is cut as a whole, of stage 3 each parameter is padded and cut by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import NoReturn

from modeldiff.checkpoints.formats.sharded.flat_vectors import FlatVector, boxes_of_runs
from modeldiff.checkpoints.formats.sharded.zero_states import ModelStates, OptimizerStates, fail
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted


@dataclass(frozen=True)
class Parameters:
    """The states of all ranks together; ``where`` names the file that says what is in them."""

    model: ModelStates
    frozen: list[dict[str, TensorInfo]]
    optimizers: list[OptimizerStates]
    where: str

    def tensors(self) -> Iterator[TensorInfo]:
        """All tensors of the model, those that are shared under each of their names.

        Raises ``DamagedCheckpoint`` where the ranks are not all there, or contradict each other.
        """
        first = self.optimizers[0]
        if first.ranks != len(self.optimizers):
            self._fail(
                f"belongs to {first.ranks:,} ranks, and the optim_states.pt of "
                f"{len(self.optimizers):,} are there"
            )
        like_first = (first.stage, first.ranks, len(first.vectors))
        if any((o.stage, o.ranks, len(o.vectors)) != like_first for o in self.optimizers):
            self._fail("lies with the states of ranks of different runs")
        if len({piece.dtype for o in self.optimizers for piece in o.vectors}) > 1:
            self._fail("lies with weights of different types")
        by_name = {tensor.name: tensor for tensor in self.model.buffers}
        by_name |= {tensor.name: tensor for tensor in self._untrained(first)}
        trained = self._padded() if first.stage == 3 else self._in_groups(first)
        by_name |= {tensor.name: tensor for tensor in trained}
        for name, other in self.model.shared.items():
            if other in by_name:
                by_name[name] = replace(by_name[other], name=name)
        yield from by_name.values()

    def _in_groups(self, first: OptimizerStates) -> Iterator[TensorInfo]:
        """Stages 1 and 2: a group's vector is cut over the ranks as a whole."""
        if len(self.model.groups) != len(first.vectors):
            self._fail("names other groups of parameters than the optimizer has")
        for number, group in enumerate(self.model.groups):
            vector = FlatVector([optimizer.vectors[number] for optimizer in self.optimizers])
            gaps = first.gaps[number] if number < len(first.gaps) else [0] * len(group)
            if len(gaps) != len(group):
                self._fail("names other parameters than the optimizer has paddings for")
            at = 0
            for (name, shape), gap in zip(group.items(), gaps, strict=True):
                yield self._tensor(name, shape, [(vector, at, at + prod(shape))])
                at += prod(shape) + gap
            unit = 2 * len(self.optimizers)  # DeepSpeed pads to it, and cuts some of that off
            if -(-at // unit) != -(-vector.size // unit):
                self._fail(f"names {at:,} weights where the ranks hold {vector.size:,}")

    def _padded(self) -> Iterator[TensorInfo]:
        """Stage 3: each parameter is cut over the ranks, in equal parts, the last ones padded."""
        ranks = [FlatVector(optimizer.vectors) for optimizer in self.optimizers]
        at = 0
        for name, shape in (item for group in self.model.groups for item in group.items()):
            part = -(-prod(shape) // len(ranks))
            yield self._tensor(name, shape, _parts(ranks, at, part, prod(shape)))
            at += part
        if any(rank.size != at for rank in ranks):
            self._fail(f"names {at:,} weights a rank where these hold {ranks[0].size:,}")

    def _untrained(self, first: OptimizerStates) -> Iterator[TensorInfo]:
        """Parameters that were not trained: whole on every rank, or cut as the others are."""
        for name, shape in self.model.frozen.items():
            parts = [rank[name] for rank in self.frozen if name in rank]
            ranks = first.ranks if first.stage == 3 else len(self.frozen)
            if len(parts) != ranks or len({part.values for part in parts}) != 1:
                self._fail(f"names {quoted(name)}, of which not all ranks have a part")
            if first.stage < 3:
                if parts[0].shape != shape:
                    self._fail(f"gives {quoted(name)} another shape than it has")
                yield parts[0]
                continue
            pieces = [part.pieces[0]._replace(shape=(part.elements,)) for part in parts]
            if any(piece.strides for piece in pieces):
                self._fail(f"has a part of {quoted(name)} that is no vector")
            yield self._tensor(name, shape, [(FlatVector(pieces), 0, prod(shape))])

    def _tensor(
        self, name: str, shape: tuple[int, ...], stretches: Sequence[tuple[FlatVector, int, int]]
    ) -> TensorInfo:
        """One of these stretches of vectors, each from an element to another."""
        if any(last > vector.size for vector, _, last in stretches):
            self._fail(f"names {quoted(name)}, which lies beyond the end of what the ranks hold")
        runs = [run for vector, first, last in stretches for run in vector.cut(first, last)]
        if not runs:  # it has no elements
            piece = self.optimizers[0].vectors[0]
            runs = [piece._replace(nbytes=0)]
        return TensorInfo(name, shape, runs[0].dtype, boxes_of_runs(runs, shape))

    def _fail(self, what: str) -> NoReturn:
        fail(self.where, what)


def _parts(
    ranks: Sequence[FlatVector], at: int, part: int, elements: int
) -> list[tuple[FlatVector, int, int]]:
    """A parameter's stretches: ``part`` elements of each rank from ``at`` on, without padding."""
    return [
        (rank, at, at + min(part, elements - number * part))
        for number, rank in enumerate(ranks)
        if number * part < elements
    ]
