"""Rows that are alike in all layers, gathered, in the order in which data passes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from modeldiff.architectures import Architecture, Place, merge_columns
from modeldiff.text.formatting import format_layers

Item = TypeVar("Item")
_Group = TypeVar("_Group", bound=Hashable)


def grouped(items: Iterable[Item], group: Callable[[Item], _Group]) -> dict[_Group, list[Item]]:
    """The items by group, groups in the order in which they first occur."""
    groups: dict[_Group, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return groups


def order_of_data(base: Architecture, target: Architecture) -> Callable[[Place], int]:
    """A sort key for places: embedding, the layers' components, final norm, head."""
    first = tuple(step.id for step in (*base.stem, *target.stem))
    outside = merge_columns(base.outside, target.outside)
    before = [column for column in outside if column.startswith(first)]
    after = [column for column in outside if column not in before]
    columns = (*before, *merge_columns(base.columns, target.columns), *after)
    positions = {column: position for position, column in enumerate(columns)}
    return lambda place: positions.get(place.column, len(columns))


def layers_text(places: Iterable[Place]) -> str:
    """The layers of these places as ranges (``0–31``); empty for places outside the layers."""
    layers = [place.layer for place in places if place.layer is not None]
    return format_layers(layers).partition(" ")[2] if layers else ""
