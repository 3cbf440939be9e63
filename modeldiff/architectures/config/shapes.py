"""The shapes of an architecture's main stack, one of each component, turned to [out, in]."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from modeldiff.architectures.config.parameter_counts import TowerSize
from modeldiff.architectures.place import Parameter, column_of
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
    """Components of the main tower by their column, as in ``Place.column`` without the tower.

    ``key_rows`` are the different numbers of rows that matrices of keys have in its layers."""

    tower: str
    layers: tuple[int, ...]
    stored: Mapping[str, Stored]
    key_rows: frozenset[int] = frozenset()

    def __getitem__(self, column: str) -> Stored | None:
        return self.stored.get(column)

    def __contains__(self, column: str) -> bool:
        return column in self.stored

    def first(self, *columns: str) -> Stored | None:
        """The first of these that is there."""
        return next((stored for column in columns if (stored := self[column])), None)


class _Firsts(Mapping[str, Stored]):
    """By column what stands for it, made when it is asked for: a made-up file may have a column a
    tensor, of which hardly one is."""

    def __init__(self, first: Mapping[str, tuple[tuple[int, int], Parameter]]) -> None:
        self._first = first

    def __getitem__(self, column: str) -> Stored:
        parameter = self._first[column][1]
        return Stored(parameter.tensor.label, oriented(parameter))

    def __contains__(self, column: object) -> bool:
        return column in self._first

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)


def oriented(parameter: Parameter) -> tuple[int, ...]:
    """A parameter's shape with a Conv1D's two dimensions turned to [out, in]; () where packed
    values do not tell theirs."""
    shape = parameter.shape
    return shape[::-1] if parameter.transposed else shape


_KEYS = "self_attn.k_proj"
_WRITING = frozenset({"decoder", "text", "text_model", "text_decoder", "language_model", "llm"})
_SENSES = ("vision", "visual", "image", "audio", "speech", "sound")
"""What towers that write are called by, and what those that look or listen."""


def main_of(towers: Collection[str]) -> str:
    """The main one of these towers that have layers: the one without a name, else one that is
    called after writing, else the first that neither looks nor listens, else the first."""
    if "" in towers:
        return ""
    others = [tower for tower in towers if not any(word in tower for word in _SENSES)]
    writing = [tower for tower in others if not _WRITING.isdisjoint(tower.split("."))]
    return next(iter((*writing, *others, *towers)), "")


def read_shapes(parameters: Iterable[Parameter], stacks: Mapping[str, TowerSize]) -> Shapes:
    """The main tower's layers, of these ``stacks``, and the shapes of one tensor of each column
    (outside ones too)."""
    tower = main_of(stacks)
    stored: dict[str, tuple[tuple[int, int], Parameter]] = {}
    key_rows: set[int] = set()
    for parameter in parameters:
        place = parameter.place
        if parameter.role not in ("parameter", "quantised"):
            continue
        if place.tower != tower and (place.tower or place.layer is not None):
            continue
        column = column_of(place.component, place.parameter)
        if tower and not place.tower:
            column = column.removeprefix(f"{tower}.")
        if column == _KEYS:
            key_rows.update(oriented(parameter)[:1])
        if parameter.codes is not None and parameter.codes.shape is None:
            continue
        first = stored.get(column)
        rank = (-1 if place.layer is None else place.layer, place.expert or 0)
        if first is None or rank < first[0]:
            stored[column] = rank, parameter
    return Shapes(
        tower,
        tuple(sorted(stacks[tower].layers)) if tower in stacks else (),
        _Firsts(stored),
        frozenset(key_rows),
    )
