"""Where the rows of a table stand, found once: by cell, layer, column and place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from modeldiff.architectures.graph.data_order import DataOrder
from modeldiff.architectures.place import Place
from modeldiff.processes.once import computed_once

Cell = tuple[int | None, str]
"""A layer (None outside the layers) and a column (``Place.column``)."""

RowPositions = Sequence[int]
_Key = TypeVar("_Key", bound=Hashable)


class RowIndex:
    """Numbers of rows, from their places alone, each mapping made when it is first asked for.

    A table of the same places whose rows were measured further has the same index. Within each
    entry the numbers stand in the order of data, and so do a mapping's keys.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    @computed_once
    def order_of_data(self) -> DataOrder:
        """The order of the places."""
        return DataOrder(self._places)

    @computed_once
    def ordered(self) -> RowPositions:
        """All rows in the order of data."""
        positions = [self.order_of_data.position(place) for place in self._places]
        return sorted(range(len(positions)), key=positions.__getitem__)

    @computed_once
    def cells(self) -> Mapping[Cell, RowPositions]:
        """The rows of each cell: one, or one an expert."""
        cells: dict[Cell, list[int]] = {}
        for number in self.ordered:
            place = self._places[number]
            cells.setdefault((place.layer, place.column), []).append(number)
        return cells

    @computed_once
    def layers(self) -> Mapping[int, RowPositions]:
        """The rows of each layer, of all towers; what stands outside the layers is in none."""
        rows = self._by(lambda place: place.layer)
        return {layer: rows[layer] for layer in sorted(key for key in rows if key is not None)}

    @computed_once
    def columns(self) -> Mapping[str, RowPositions]:
        """The rows of each column: in the order of data, all layers of a column in one."""
        rows = self._by(lambda place: place.column)
        order = self.order_of_data.column_position
        return dict(sorted(rows.items(), key=lambda item: order(self._places[item[1][0]])))

    @computed_once
    def one_a_column(self) -> tuple[Place, ...]:
        """A place of each column, in the order of ``columns``."""
        return tuple(self._places[rows[0]] for rows in self.columns.values())

    @computed_once
    def places(self) -> Mapping[Place, int]:
        """The row of each place."""
        return {place: number for number, place in enumerate(self._places)}

    @computed_once
    def layered(self) -> Mapping[str, Sequence[int]]:
        """The layers that have a column, ascending; none for a column outside the layers."""
        layers: dict[str, list[int]] = {}
        for layer, column in self.cells:
            own = layers.setdefault(column, [])
            if layer is not None:
                own.append(layer)
        return {column: sorted(own) for column, own in layers.items()}

    @computed_once
    def experts(self) -> Mapping[str, int]:
        """The columns that have experts, with how many rows these have in layers."""
        counts: Counter[str] = Counter()
        for (layer, column), rows in self.cells.items():
            if layer is not None:
                counts[column] += sum(self._places[row].expert is not None for row in rows)
        return {column: count for column, count in counts.items() if count}

    def _by(self, key: Callable[[Place], _Key]) -> dict[_Key, list[int]]:
        """The cells' rows by what all rows of a cell have in common."""
        groups: dict[_Key, list[int]] = {}
        for rows in self.cells.values():
            groups.setdefault(key(self._places[rows[0]]), []).extend(rows)
        return groups
