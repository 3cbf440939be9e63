"""Which rows of a change table stand at a place, and what was measured there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modeldiff.architectures import Architecture, Place, merge_columns
from modeldiff.changes import Change, Statistics
from modeldiff.changes.statistics.merge_cache import merged

Cell = tuple[int | None, str]
"""A layer (None outside the layers) and a column (``Place.column``)."""


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

    ``table`` is the change table that they were found in.
    """

    column: str
    rows: tuple[Change, ...]
    statistics: Statistics | None
    table: Sequence[Change] = field(repr=False)

    def over_layers(self) -> tuple[tuple[int, Statistics | None], ...]:
        """Every layer that has the column, ascending, with its statistics (experts merged)."""
        by_layer: dict[int, list[Change]] = {}
        for change in self.table:
            place = change.pair.place
            if place.layer is not None and place.column == self.column:
                by_layer.setdefault(place.layer, []).append(change)
        return tuple((layer, _merged(self.table, by_layer[layer])) for layer in sorted(by_layer))


def find_cell(changes: Sequence[Change], layer: int | None, name: str) -> Cell:
    """The cell that a link means by layer and name: a column, or a component of the diagram.

    A name outside the layers is found whatever the layer. The first match in this order counts;
    what matches nothing comes back as it is.
    """
    cells = {(c.pair.place.layer, c.pair.place.column) for c in changes}
    for cell in ((layer, name), (None, name)):
        if cell in cells:
            return cell
    places = (c.pair.place for c in changes if c.pair.place.component == name)
    return next(((p.layer, p.column) for p in places if p.layer in (layer, None)), (layer, name))


def component_of(changes: Sequence[Change], name: str) -> str:
    """The diagram's node that a node's, column's or component's name means; else the name."""
    places = [c.pair.place for c in changes]
    for names in (_node, lambda place: place.column, lambda place: place.component):
        found = next((_node(place) for place in places if names(place) == name), None)
        if found is not None:
            return found
    return name


def in_data_order(
    changes: Sequence[Change], base: Architecture, target: Architecture
) -> tuple[Change, ...]:
    """The rows in the order in which data passes: before the layers, layer by layer, after."""
    inside = _ranks(merge_columns(base.columns, target.columns))
    outside = _ranks(merge_columns(base.outside, target.outside))
    after = {step.id for side in (base, target) for step in side.tail}

    def position(change: Change) -> tuple[int, int, int, int]:
        place = change.pair.place
        expert = -1 if place.expert is None else place.expert
        if place.layer is None:
            rank = outside.get(place.column, len(outside))
            return (2 if place.component in after else 0), 0, rank, expert
        return 1, place.layer, inside.get(place.column, len(inside)), expert

    return tuple(sorted(changes, key=position))


def rows_at(changes: Sequence[Change], cell: Cell) -> PlaceRows:
    """The rows of a cell: one, or one an expert."""
    places = ((c, c.pair.place) for c in changes)
    rows = tuple(c for c, place in places if (place.layer, place.column) == cell)
    return PlaceRows(cell[1], rows, _merged(changes, rows), changes)


def chosen_cell(
    changes: Sequence[Change], layer: int | None, name: str | None, expert: int | None
) -> ChosenCell | None:
    """What a link means by layer, name and expert; None where it names nothing of the heatmap."""
    if name:
        return ChosenCell(*find_cell(changes, layer, name), expert)
    there = layer is not None and any(c.pair.place.layer == layer for c in changes)
    return ChosenCell(layer, "") if there else None


def rows_of_cell(changes: Sequence[Change], chosen: ChosenCell) -> PlaceRows:
    """The rows of what is chosen."""
    found = [(c, c.pair.place) for c in changes]
    if chosen.column:
        found = [(c, place) for c, place in found if place.column == chosen.column]
    rows = [c for c, place in found if place.layer == chosen.layer]
    if not rows and chosen.layer is None:
        rows = [c for c, _ in found]
    if chosen.expert is not None:
        # Its other layers are those of this expert, too.
        changes = [c for c in changes if c.pair.place.expert == chosen.expert]
        rows = [c for c in rows if c.pair.place.expert == chosen.expert]
    return PlaceRows(chosen.column, tuple(rows), _merged(changes, rows), changes)


def rows_of_component(
    changes: Sequence[Change], component: str, layer: int | None
) -> tuple[PlaceRows, ...]:
    """The rows of a node of the diagram in a layer (None: in all), its weight and bias apart."""
    by_column: dict[str, list[Change]] = {}
    for change in changes:
        place = change.pair.place
        if _node(place) == component and (layer is None or place.layer in (layer, None)):
            by_column.setdefault(place.column, []).append(change)
    return tuple(
        PlaceRows(column, tuple(rows), _merged(changes, rows), changes)
        for column, rows in by_column.items()
    )


def _node(place: Place) -> str:
    """What the diagram calls the box of a place: its component, with its tower."""
    return f"{place.tower}.{place.component}" if place.tower else place.component


def _ranks(names: Sequence[str]) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(names)}


def _merged(changes: Sequence[Change], rows: Sequence[Change]) -> Statistics | None:
    """The rows' statistics; those of a tied row are where the tensor is stored."""
    found = [row.statistics for row in rows if row.statistics is not None]
    if not found:
        tied = {row.pair.base.name for row in rows if row.pair.status == "tied" and row.pair.base}
        found = [
            change.statistics
            for change in changes
            if change.statistics and change.pair.base and change.pair.base.name in tied
        ]
    return merged(found)
