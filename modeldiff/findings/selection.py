"""What a reader has chosen of a change table, and what was measured there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from modeldiff.changes import Cell, Change, ChangeTable, Statistics
from modeldiff.findings.evidence import kind_of
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class ChosenCell:
    """What is chosen on the heatmap: a cell, perhaps one of its experts; with an empty ``column`` a
    whole layer; a column of the layers without a ``layer`` is that column over all of them."""

    layer: int | None
    column: str
    expert: int | None = None


@dataclass(frozen=True)
class PlaceRows:
    """The rows at one column of one layer, or of all layers. ``statistics`` are theirs, merged.

    ``table`` is the change table that they are of; ``expert`` the one that was chosen, None for
    all of them.
    """

    column: str
    rows: tuple[Change, ...]
    statistics: Statistics | None
    table: ChangeTable = field(repr=False)
    expert: int | None = None

    @property
    def of_vectors(self) -> bool:
        """Whether norms, biases and the like stand here, and no matrix."""
        return all(kind_of(row) in ("norms", "vectors") for row in self.rows)

    @property
    def is_equal(self) -> bool:
        """Whether all elements that were compared are finite, and exactly equal in both."""
        known = self.statistics
        finite = known is not None and not known.nonfinite_base and not known.nonfinite_target
        return known is not None and finite and known.unchanged_pct == 100.0

    def over_layers(self) -> tuple[tuple[int, Statistics | None], ...]:
        """Every layer that has the column, ascending, with its statistics (experts merged)."""
        return tuple(self._over_layers())

    def _over_layers(self) -> Iterator[tuple[int, Statistics | None]]:
        layers = self.table.layers_of(self.column)
        if self.expert is None:
            merged = self.table.merged("cell")
            yield from ((layer, merged[layer, self.column]) for layer in layers)
            return
        for layer in layers:
            place = self.table.cell(layer, self.column)[0].pair.place
            row = self.table.at(replace(place, expert=self.expert))
            if row is not None:
                yield layer, self.table.statistics([row])


def find_cell(table: ChangeTable, layer: int | None, name: str) -> Cell:
    """The cell that a link means by layer and name: a column, or a component of the diagram.

    A name outside the layers is found whatever the layer. The first match in this order counts;
    what matches nothing comes back as it is.
    """
    columns = [place.column for place in table.one_a_column if place.component == name]
    for column in (name, *columns):
        for cell in ((layer, column), (None, column)):
            if table.cell(*cell):
                return cell
    return layer, name


def component_of(table: ChangeTable, name: str) -> str:
    """The diagram's node that a node's, column's or component's name means; else the name."""
    places = table.one_a_column
    for kind in ("node", "column", "component"):
        node = next((place.node for place in places if getattr(place, kind) == name), None)
        if node is not None:
            return node
    return name


def rows_at(table: ChangeTable, cell: Cell) -> PlaceRows:
    """The rows of a cell: one, or one an expert."""
    return PlaceRows(cell[1], table.cell(*cell), table.merged("cell").get(cell), table)


def chosen_cell(
    table: ChangeTable, layer: int | None, name: str | None, expert: int | None
) -> ChosenCell | None:
    """What a link means by layer, name and expert; None where it names nothing of the heatmap."""
    if name:
        return ChosenCell(*find_cell(table, layer, name), expert)
    there = layer is not None and bool(table.layer(layer))
    return ChosenCell(layer, "") if there else None


def rows_of_cell(table: ChangeTable, chosen: ChosenCell) -> PlaceRows:
    """The rows of what is chosen."""
    layer, column = chosen.layer, chosen.column
    if not column:
        number = -1 if layer is None else layer
        return PlaceRows("", table.layer(number), table.merged("layer").get(number), table)
    place = rows_at(table, (layer, column))
    if not place.rows and layer is None:
        rows, statistics = table.column(column), table.merged("column").get(column)
        place = PlaceRows(column, rows, statistics, table)
    if chosen.expert is None:
        return place
    # Its other layers are those of this expert, too.
    rows = tuple(row for row in place.rows if row.pair.place.expert == chosen.expert)
    return PlaceRows(column, rows, table.statistics(rows), table, chosen.expert)


def rows_of_component(
    table: ChangeTable, component: str, layer: int | None
) -> tuple[PlaceRows, ...]:
    """The rows of a node of the diagram in a layer (None: in all), its weight and bias apart."""
    places = [place for place in table.one_a_column if place.node == component]
    chosen = dict.fromkeys(
        ChosenCell(None if place.layer is None else layer, place.column) for place in places
    )
    of_node = (rows_of_cell(table, cell) for cell in chosen)
    return tuple(place for place in of_node if place.rows)
