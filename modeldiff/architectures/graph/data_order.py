"""The one order of places: as data passes through the model.

Towers are passed one after the other, each whole: what stands before its layers, its layers one by
one, what stands after them. The main tower comes last, since the others lead into it. What belongs
to no tower, beside towers that all have a name, is before everything (a shared embedding) or after
everything (a head).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from modeldiff.architectures.config.shapes import main_of
from modeldiff.architectures.graph.columns import (
    Key,
    is_before_layers,
    layer_rank,
    outside_rank,
    stands_before,
)
from modeldiff.architectures.place import Place
from modeldiff.processes.once import computed_once

Segment = Literal["before", "layers", "after"]
"""Where a place is in its tower."""
DataPosition = tuple[int, int, int, int, int]
"""Sorts places: tower, segment, layer, column, expert; -1 for none."""

_SEGMENTS: tuple[Segment, ...] = ("before", "layers", "after")
_PARAMETERS = ("weight", "bias")
_GOES_ON = ("mtp",)
"""Towers that go on where the main one ends."""

_Column = tuple[str, str, str, bool]
"""Tower, component, parameter, and whether it is in layers."""
_Rank = tuple[int, int, Key, int, int]
"""Tower, segment, where the component stands by its name and by when it came, and the parameter."""


class DataOrder:
    """The order of these places, which need not be all of a model, nor of one model alone.

    Components that a family describes stand in the common graph's order. Others are placed by their
    words, then as they come. A bias stands right after its weight.

    >>> places = [Place(None, "norm"), Place(0, "mlp.up_proj"), Place(0, "self_attn.q_proj")]
    >>> [place.column for place in sorted(places, key=DataOrder(places).position)]
    ['self_attn.q_proj', 'mlp.up_proj', 'norm']
    """

    def __init__(self, places: Iterable[Place]) -> None:
        columns: dict[_Column, Place] = {}
        for place in places:
            columns.setdefault(_column(place), place)
        named = dict.fromkeys(tower for tower, *_ in columns)
        self.main = main_of(dict.fromkeys(tower for tower, *_, inside in columns if inside))
        self._towers = {tower: at for at, tower in enumerate(order_of_towers(named, self.main))}
        self._first = columns

    @computed_once
    def inside(self) -> tuple[str, ...]:
        """The columns in layers, each once."""
        return self._names(inside=True)

    @computed_once
    def outside(self) -> tuple[str, ...]:
        """The columns outside of the layers, each once."""
        return self._names(inside=False)

    @computed_once
    def _columns(self) -> Mapping[_Column, tuple[int, int, int]]:
        """Tower, segment and number of each column."""
        ranks = self._ranks(self._first)
        order = sorted(ranks, key=ranks.__getitem__)
        return {column: (*ranks[column][:2], number) for number, column in enumerate(order)}

    def _names(self, *, inside: bool) -> tuple[str, ...]:
        """The columns of one kind in order. A made-up file may have a column a tensor, mostly of
        one kind, and who asks for the other has not to wait for these."""
        ranks = self._ranks([column for column in self._first if column[-1] is inside])
        order = sorted(ranks, key=ranks.__getitem__)
        return tuple(dict.fromkeys([self._first[column].column for column in order]))

    def _ranks(self, columns: Iterable[_Column]) -> dict[_Column, _Rank]:
        """What sorts these columns, given as they come."""
        appearance: dict[tuple[str, str, bool], int] = {}
        ranks: dict[_Column, _Rank] = {}
        for column in columns:
            tower, component, parameter, inside = column
            key = layer_rank(component) if inside else outside_rank(component)
            segment: Segment = "layers" if inside else "before" if stands_before(key) else "after"
            ranks[column] = (
                self._tower(tower, segment),
                _SEGMENTS.index(segment),
                key,
                appearance.setdefault((tower, component, inside), len(appearance)),
                _PARAMETERS.index(parameter) if parameter in _PARAMETERS else len(_PARAMETERS),
            )
        return ranks

    def position(self, place: Place) -> DataPosition:
        """A sort key for one of the places."""
        tower, segment, column = self._columns[_column(place)]
        layer, expert = place.layer, place.expert
        return (
            tower,
            segment,
            -1 if layer is None else layer,
            column,
            -1 if expert is None else expert,
        )

    def column_position(self, place: Place) -> int:
        """A sort key for columns: as ``position``, with all layers of a column in one."""
        return self._columns[_column(place)][-1]

    def segment(self, place: Place) -> Segment:
        """Where the place is in its tower."""
        if place.layer is not None:
            return "layers"
        return "before" if is_before_layers(place.component) else "after"

    def ends(self, place: Place) -> bool:
        """Whether it stands after all layers, and leads into none."""
        return self.segment(place) == "after" and place.tower in ("", self.main, *_GOES_ON)

    def _tower(self, tower: str, segment: Segment) -> int:
        if tower or not self.main:
            return self._towers[tower]
        return -1 if segment == "before" else len(self._towers)


def order_of_towers(towers: Iterable[str], main: str) -> tuple[str, ...]:
    """These towers in the order in which data passes, the main one among them.

    >>> order_of_towers(["decoder", "encoder"], "decoder")
    ('encoder', 'decoder')
    """
    towers = tuple(towers)
    aside = ("", main, *_GOES_ON)
    leading = [tower for tower in towers if tower not in aside]
    following = [tower for tower in _GOES_ON if tower in towers and tower != main]
    return (*leading, main, *following)


def _column(place: Place) -> _Column:
    return place.tower, place.component, place.parameter, place.layer is not None
