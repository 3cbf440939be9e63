"""Rows that are alike in all layers, gathered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from modeldiff.architectures import Place
from modeldiff.text.formatting import format_layers

Item = TypeVar("Item")
_Group = TypeVar("_Group", bound=Hashable)


def grouped(items: Iterable[Item], group: Callable[[Item], _Group]) -> dict[_Group, list[Item]]:
    """The items by group, groups in the order in which they first occur."""
    groups: dict[_Group, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return groups


def layers_text(places: Iterable[Place]) -> str:
    """The layers of these places as ranges (``0–31``), by their numbers in base where it has them;
    empty for places outside the layers."""
    numbers = (place.layer_number for place in places)
    layers = sorted({number for number in numbers if number is not None})
    return format_layers(layers).partition(" ")[2] if layers else ""
