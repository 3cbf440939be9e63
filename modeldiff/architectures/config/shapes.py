"""The shapes of an architecture's main stack, one of each component, turned to [out, in]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modeldiff.architectures.place import Parameter


@dataclass(frozen=True)
class Stored:
    """A tensor that stands for all of its column: the one of the lowest layer and expert.

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
    """Components of the main tower by their column, as in ``Place.column`` without the tower."""

    tower: str
    layers: tuple[int, ...]
    stored: Mapping[str, Stored]

    def __getitem__(self, column: str) -> Stored | None:
        return self.stored.get(column)

    def __contains__(self, column: str) -> bool:
        return column in self.stored

    def first(self, *columns: str) -> Stored | None:
        """The first of these that is there."""
        return next((found for column in columns if (found := self[column])), None)


def oriented(parameter: Parameter) -> tuple[int, ...]:
    """A parameter's shape with a Conv1D's two dimensions turned to [out, in]; () where packed
    values do not tell theirs."""
    shape = parameter.shape
    return shape[::-1] if parameter.transposed else shape


def main_tower(parameters: Iterable[Parameter]) -> str:
    """The tower that facts speak of: the one without a name, else the decoder, else the first."""
    towers = dict.fromkeys(p.place.tower for p in parameters if p.place.layer is not None)
    for wanted in ("", "decoder"):
        if wanted in towers:
            return wanted
    return next(iter(towers), "")


def read_shapes(parameters: Iterable[Parameter]) -> Shapes:
    """The main tower's layers and the shapes of one tensor of each column (outside ones too)."""
    parameters = tuple(parameters)
    tower = main_tower(parameters)
    stored: dict[str, tuple[tuple[int, int], Stored]] = {}
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
        rank = (-1 if place.layer is None else place.layer, place.expert or 0)
        if parameter.codes is not None and parameter.codes.shape is None:
            continue
        if column not in stored or rank < stored[column][0]:
            stored[column] = (rank, Stored(parameter.tensor.label, oriented(parameter)))
    return Shapes(tower, tuple(sorted(layers)), {c: s for c, (_, s) in stored.items()})
