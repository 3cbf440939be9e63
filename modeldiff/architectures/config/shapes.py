"""The shapes of an architecture's main stack, one of each component, turned to [out, in]."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import NamedTuple

from modeldiff.architectures.place import Parameter
from modeldiff.processes.late_dataclass import dataclass


class Stored(NamedTuple):
    """A tensor that stands for all of its column: the one of the lowest layer and expert. A named
    tuple, as made-up files have a column a tensor.

    ``shape`` is [out, in] however the matrix is stored.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def out(self) -> int:
        """Rows of a matrix, length of a vector; 1 for a scalar."""
        return self.shape[0] if self.shape else 1

    @property
    def width_in(self) -> int | None:
        """Columns of a matrix; None for anything else."""
        return self.shape[1] if len(self.shape) == 2 else None


@dataclass(frozen=True)
class Shapes:
    """Components of the main tower by their column, as in ``Place.column`` without the tower;
    ``outputs`` are the different numbers of rows of each."""

    tower: str
    layers: tuple[int, ...]
    stored: Mapping[str, Stored]
    outputs: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def widths(self, column: str) -> frozenset[int]:
        """The different numbers of rows that a component has in its layers."""
        return self.outputs.get(column, frozenset())

    def __getitem__(self, column: str) -> Stored | None:
        return self.stored.get(column)

    def __contains__(self, column: str) -> bool:
        return column in self.stored

    def first(self, *columns: str) -> Stored | None:
        """The first of these that is there."""
        return next((stored for column in columns if (stored := self[column])), None)


def oriented(parameter: Parameter) -> tuple[int, ...]:
    """A parameter's shape with a Conv1D's two dimensions turned to [out, in]; () where packed
    values do not tell theirs."""
    shape = parameter.shape
    return shape[::-1] if parameter.transposed else shape


_WRITING = frozenset({"decoder", "text", "text_model", "text_decoder", "language_model", "llm"})
_SENSES = ("vision", "visual", "image", "audio", "speech", "sound")
"""What towers that write are called by, and what those that look or listen."""


def main_tower(parameters: Iterable[Parameter]) -> str:
    """The tower that facts speak of, by ``main_of``."""
    return main_of(dict.fromkeys(p.place.tower for p in parameters if p.place.layer is not None))


def main_of(towers: Collection[str]) -> str:
    """The main one of these towers that have layers: the one without a name, else one that is
    called after writing, else the first that neither looks nor listens, else the first."""
    if "" in towers:
        return ""
    others = [tower for tower in towers if not any(word in tower for word in _SENSES)]
    writing = [tower for tower in others if not _WRITING.isdisjoint(tower.split("."))]
    return next(iter((*writing, *others, *towers)), "")


def read_shapes(parameters: Iterable[Parameter]) -> Shapes:
    """The main tower's layers and the shapes of one tensor of each column (outside ones too)."""
    parameters = tuple(parameters)
    tower = main_tower(parameters)
    stored: dict[str, tuple[tuple[int, int], Parameter]] = {}
    outputs: dict[str, frozenset[int]] = {}
    lengths: dict[int, frozenset[int]] = {}
    layers = set()
    for parameter in parameters:
        place = parameter.place
        if parameter.role not in ("parameter", "quantised"):
            continue
        if place.layer is not None:
            if place.tower != tower:
                continue
            layers.add(place.layer)
        elif place.tower not in ("", tower):
            continue
        column = place.column.removeprefix(f"{tower}.") if tower else place.column
        shape = oriented(parameter)
        if shape:
            # Hundreds of thousands of columns share a few lengths.
            length = lengths.get(shape[0])
            if length is None:
                length = lengths[shape[0]] = frozenset(shape[:1])
            known = outputs.setdefault(column, length)
            if known is not length and not length <= known:
                outputs[column] = known | length
        if parameter.codes is not None and parameter.codes.shape is None:
            continue
        rank = (-1 if place.layer is None else place.layer, place.expert or 0)
        first = stored.get(column)
        if first is None or rank < first[0]:
            stored[column] = rank, parameter
    return Shapes(
        tower,
        tuple(sorted(layers)),
        {c: Stored(first.tensor.label, oriented(first)) for c, (_, first) in stored.items()},
        outputs,
    )
