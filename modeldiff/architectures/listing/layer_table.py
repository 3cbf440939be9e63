"""Both models' tensors in one table as people print it: aligned by place, under stored names.

A layer stands beside a layer: of the same number, or the last beside the last. Over the whole of
two models, neighbours that are built alike on both sides are folded into one group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from itertools import zip_longest
from operator import itemgetter
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.shapes import main_of
from modeldiff.architectures.graph.columns import is_before_layers, merge_columns
from modeldiff.architectures.graph.data_order import order_of_towers
from modeldiff.architectures.listing.layer_stack import (
    Entries,
    LayerKey,
    Printed,
    Stack,
    StackColumn,
    common_name,
    read_stack,
)
from modeldiff.architectures.place import column_of, node_id
from modeldiff.architectures.spec import UNKNOWN
from modeldiff.processes.collector import collector_at_rest
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.made_quickly import made_quickly

RowStatus = Literal[
    "same",
    "other shape",
    "other number",
    "other type",
    "only in base",
    "only in target",
    "tied",
    "buffer",
    "quantised",
]

_NUMBER = re.compile(r"(?<=\.)[0-9]+(?=\.|$)")


@made_quickly
@dataclass(frozen=True, slots=True)
class LayerRow:
    """What both sides store at one column (``Place.column``); None where a side has nothing."""

    column: str
    base: Printed | None
    target: Printed | None

    @property
    def status(self) -> RowStatus:
        """The most telling thing in which the two differ."""
        base, target = self.base, self.target
        roles = {side.role for side in (base, target) if side is not None}
        if "buffer" in roles:
            return "buffer"
        if base is None or target is None:
            return "tied" if roles == {"tied"} else "only in target" if base is None else _ONLY_BASE
        if "quantised" in roles:
            return "quantised"
        if base.oriented != target.oriented:
            return "other shape"
        if "tied" in roles:
            return "tied"
        if base.count != target.count:
            return "other number"
        return "same" if base.dtype == target.dtype else "other type"


_ONLY_BASE: RowStatus = "only in base"


@dataclass(frozen=True)
class LayerGroup:
    """Rows that hold for all of these layers.

    ``where`` is ``layers``, or ``before`` or ``after`` them, with no layer on either side then.
    ``repeats``: the layers of an earlier group that has these rows already, on the one side that
    these layers are on.
    """

    where: Literal["before", "layers", "after"]
    tower: str
    base_layers: tuple[int, ...]
    target_layers: tuple[int, ...]
    rows: tuple[LayerRow, ...]
    repeats: tuple[int, ...] = ()


@dataclass(frozen=True)
class LayerTable:
    """Two models side by side, to be asked for one layer, the last ones or the whole folded.

    ``by_name``: one family is not known, so what found no partner by place pairs by stored name.
    """

    base: Stack = field(repr=False)
    target: Stack = field(repr=False)
    outside: tuple[LayerGroup, ...]
    by_name: bool

    @property
    def layers(self) -> tuple[int, ...]:
        """The numbers of all layers of either side."""
        return tuple(sorted({layer for _, layer in (*self.base.layers, *self.target.layers)}))

    @property
    def towers(self) -> tuple[str, ...]:
        """The towers of both sides, in the order in which data passes."""
        there = dict.fromkeys((*self.base.numbers, *self.target.numbers))
        return tuple(tower for tower in order_of_towers(there, main_of(there)) if tower in there)

    def at(self, layer: int) -> tuple[LayerGroup, ...]:
        """The layer of this number: one group a tower that has it."""
        groups = (self._beside((tower, layer), (tower, layer)) for tower in self.towers)
        return tuple(group for group in groups if group.rows)

    def last(self) -> tuple[LayerGroup, ...]:
        """The last layers beside each other, however many there are, and what stands after them."""
        groups = (
            self._beside(self.base.last(tower), self.target.last(tower)) for tower in self.towers
        )
        return (*groups, *(group for group in self.outside if group.where == "after"))

    def folded(self) -> tuple[LayerGroup, ...]:
        """The whole of both, layers paired by number and those alike on both sides in one group."""
        before = (group for group in self.outside if group.where == "before")
        after = (group for group in self.outside if group.where == "after")
        with collector_at_rest():
            return (*before, *(run for tower in self.towers for run in self._runs(tower)), *after)

    def alike(self, group: LayerGroup) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The layers of base, and of target, that are built as this group's own, those left out."""
        return (
            _others(self.base, group.tower, group.base_layers),
            _others(self.target, group.tower, group.target_layers),
        )

    def _runs(self, tower: str) -> Iterator[LayerGroup]:
        kinds: dict[tuple[int | None, int | None], list[int]] = {}
        # A made-up file may have as many towers as layers: each looks at its own alone.
        numbers = {n for side in (self.base, self.target) for n in side.numbers.get(tower, ())}
        for layer in sorted(numbers):
            key = (tower, layer)
            both = self.base.kinds.get(key), self.target.kinds.get(key)
            kinds.setdefault(both, []).append(layer)
        shown: dict[tuple[int | None, int | None], tuple[int, ...]] = {}
        for (ours, theirs), layers in kinds.items():
            first, last = (tower, layers[0]), (tower, layers[-1])
            repeats = shown.get((ours, theirs), ()) if None in (ours, theirs) else ()
            for half in ((ours, None), (None, theirs)):
                shown.setdefault(half, tuple(layers))
            yield LayerGroup(
                "layers",
                tower,
                () if ours is None else tuple(layers),
                () if theirs is None else tuple(layers),
                self._rows(first, first, last, last),
                repeats,
            )

    def _beside(self, base: LayerKey | None, target: LayerKey | None) -> LayerGroup:
        base = base if base in self.base.layers else None
        target = target if target in self.target.layers else None
        tower = next((key[0] for key in (base, target) if key), "")
        ours, theirs = (() if key is None else (key[1],) for key in (base, target))
        return LayerGroup("layers", tower, ours, theirs, self._rows(base, target, base, target))

    def _rows(
        self,
        base: LayerKey | None,
        target: LayerKey | None,
        base_to: LayerKey | None,
        target_to: LayerKey | None,
    ) -> tuple[LayerRow, ...]:
        """A layer's rows by component and parameter, which is the order of files and printouts;
        their names run on to the layer ``…_to``, which is built alike."""
        ours = _run(self.base, base, base_to)
        same = self.base is self.target and (base, base_to) == (target, target_to)
        theirs = ours if same else _run(self.target, target, target_to)
        pairs = _paired(ours, theirs, by_name=self.by_name)
        return tuple(row for _, row in sorted(pairs, key=itemgetter(0)))


def layer_table(base: Architecture, target: Architecture) -> LayerTable:
    """Read both sides. One pass over all tensors; what is asked of the result is quick."""
    with collector_at_rest():
        return _layer_table(base, target)


def _layer_table(base: Architecture, target: Architecture) -> LayerTable:
    ours = read_stack(base)
    # What has the very same names and shapes is understood once.
    theirs = ours if target.parameters is base.parameters else read_stack(target)
    by_name = UNKNOWN in (base.family, target.family)
    columns = base.outside
    if theirs is not ours:
        columns = merge_columns(columns, target.outside)
    order = {column: rank for rank, column in enumerate(columns)}
    groups: dict[bool, list[tuple[int, StackColumn, LayerRow]]] = {True: [], False: []}
    for column, row in _paired(ours.outside, theirs.outside, by_name=by_name):
        groups[is_before_layers(column[1])].append((order.get(row.column, len(order)), column, row))
    outside = tuple(
        LayerGroup("before" if before else "after", "", (), (), tuple(row for *_, row in rows))
        for before, rows in ((b, sorted(groups[b], key=itemgetter(0, 1))) for b in groups)
        if rows
    )
    return LayerTable(ours, theirs, outside, by_name)


def find_rows(groups: Iterable[LayerGroup], words: str) -> tuple[LayerGroup, ...]:
    """The rows whose place or stored name contains ``words``, in any case.

    A name copied whole from a file finds its row too, though its numbers may be folded there.
    """
    words = words.strip().lower()
    starred = _NUMBER.sub("*", words)
    numbers = {int(number) for number in _NUMBER.findall(words) if len(number) < 6}
    groups_left = []
    for group in groups:
        # Some number of the words is a layer of this group, where it is a group of layers at all.
        layers = {*group.base_layers, *group.target_layers}
        here = not numbers or not layers or bool(numbers & layers)
        rows = tuple(
            row
            for row in group.rows
            if any(words in name for name in _names(row))
            or (here and any(starred in _NUMBER.sub("*", name) for name in _names(row)))
        )
        if rows:
            groups_left.append(replace(group, rows=rows))
    return tuple(groups_left)


def _names(row: LayerRow) -> Iterator[str]:
    yield row.column.lower()
    for side in (row.base, row.target):
        if side is not None:
            yield side.name.lower()


def _others(stack: Stack, tower: str, layers: tuple[int, ...]) -> tuple[int, ...]:
    """The layers built as these are, without these."""
    own = set(layers)
    alike = stack.alike((tower, layers[0])) if layers else ()
    return tuple(layer for layer in alike if layer not in own)


def _run(stack: Stack, start: LayerKey | None, end: LayerKey | None) -> Entries:
    """A layer's entries, named for all from ``start`` to ``end``; none where there is no layer."""
    entries = stack.layers.get(start, {}) if start else {}
    others = stack.layers.get(end, {}) if end and end != start else {}
    if not others:
        return entries
    return {
        column: tuple(
            one.named(common_name(one.name, other.name))
            for one, other in zip(each, others.get(column, each), strict=False)
        )
        for column, each in entries.items()
    }


def _paired(
    base: Entries, target: Entries, *, by_name: bool
) -> Iterator[tuple[StackColumn, LayerRow]]:
    """Every column of either side once, in no order; where experts differ, kind beside kind."""
    if base is target:
        for column, each in base.items():
            tower, component, parameter = column
            name = column_of(node_id(tower, component), parameter)
            for one in each:
                yield column, LayerRow(name, one, one)
        return
    partners = {column: column for column in base if column in target}
    if by_name and len(partners) < min(len(base), len(target)):
        left = {
            _NUMBER.sub("*", each[0].name): column
            for column, each in target.items()
            if column not in partners and each[0].role != "tied"
        }
        for column, each in base.items():
            if column not in partners and each[0].role != "tied":
                partner = left.get(_NUMBER.sub("*", each[0].name))
                if partner is not None:
                    partners[column] = partner
    paired = set(partners.values())
    pairs = [
        (column, each, target.get(partners.get(column, column), ()))
        for column, each in base.items()
    ]
    pairs += [(column, (), each) for column, each in target.items() if column not in paired]
    for column, ours, theirs in pairs:
        tower, component, parameter = column
        name = column_of(node_id(tower, component), parameter)
        for one, other in zip_longest(ours, theirs):
            yield column, LayerRow(name, one, other)
