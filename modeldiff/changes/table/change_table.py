"""The change table: all rows of a comparison, to be asked by place without a walk over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from modeldiff.architectures.graph.data_order import DataOrder
from modeldiff.architectures.place import LayerNumbers, Place
from modeldiff.changes.change import Change, Pair, Statistics, Status
from modeldiff.changes.layer_chains import Alignment
from modeldiff.changes.statistics.merge_cache import merged
from modeldiff.changes.table.row_index import Cell, RowIndex, RowPositions
from modeldiff.processes.once import computed_once

if TYPE_CHECKING:
    import pandas as pd

Rows = tuple[Change, ...]
Grouping = Literal["cell", "layer", "column"]
_GROUPS: Mapping[Grouping, str] = {
    "cell": "cells",
    "layer": "layers",
    "column": "columns",
}
"""Which mapping of a ``RowIndex`` has these groups."""
_Key = TypeVar("_Key")


class ChangeTable(Sequence[Change]):
    """The rows of a comparison, one a pair: base's tensors in file order, then target's own.

    That is the order of iteration and of files. What is asked for by place comes in the order in
    which data passes, as does ``ordered``: tower by tower what stands before the layers, layer by
    layer, and after them. A row that is not measured yet has no statistics, and is ``waiting``.

    Indexes and merged statistics are made when they are first asked for, and kept.
    """

    def __init__(self, changes: Iterable[Change] = (), *, index: RowIndex | None = None) -> None:
        """``changes`` are the rows; ``index`` is that of another table of the same places."""
        self._rows = tuple(changes)
        self._index = index or RowIndex([change.pair.place for change in self._rows])
        self._merged: dict[Grouping, _MergedRows[Any]] = {}

    @classmethod
    def of_pairs(cls, pairs: Iterable[Pair]) -> ChangeTable:
        """The table of ``pairs`` in their order, before anything is measured."""
        return cls(map(Change, pairs))

    def with_measured(self, changes: Iterable[Change]) -> ChangeTable:
        """The same table with ``changes`` in the place of the pairs that they measured."""
        measured = {id(change.pair): change for change in changes}
        rows = [measured.pop(id(row.pair), row) for row in self._rows]
        if measured:  # of pairs that were made anew, as those of a journal or with another status
            others = {change.pair.id: change for change in measured.values()}
            rows = [others.get(row.pair.id, row) for row in rows]
        return ChangeTable(rows, index=self._index)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Change]:
        return iter(self._rows)

    @overload
    def __getitem__(self, at: int) -> Change: ...
    @overload
    def __getitem__(self, at: slice) -> Rows: ...
    def __getitem__(self, at: int | slice) -> Change | Rows:
        """The row ``at`` a position in the order of iteration, or a slice's rows. Raises
        ``IndexError``."""
        return self._rows[at]

    def __eq__(self, other: object) -> bool:
        return self._rows == other._rows if isinstance(other, ChangeTable) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in self.statuses.items())
        return f"<ChangeTable of {len(self):,} rows: {counts}>"

    def _repr_html_(self) -> str:
        """For a notebook: the table in words, and its heatmap."""
        from modeldiff.drawings.output.notebook import change_table_html

        return change_table_html(self)

    @property
    def order(self) -> DataOrder:
        """The order of data of the table's places."""
        return self._index.order_of_data

    @computed_once
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, in the order of data."""
        return tuple(self._index.cells)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column once: in the order of data, all layers of a column in one."""
        return tuple(self._index.columns)

    @property
    def one_a_column(self) -> tuple[Place, ...]:
        """A place of each column, in the order of ``columns``."""
        return self._index.one_a_column

    @computed_once
    def alignment(self) -> Alignment:
        """The chains by which layers met otherwise than by number."""
        return Alignment.of_places(row.pair.place for row in self._rows)

    def seen_from(self, side: Literal["base", "target"]) -> ChangeTable:
        """The table by the own numbers of layers of ``side``, without the layers that it lacks: for
        what shows that side alone. The table itself, where layers met by number."""
        if not self.alignment:
            return self
        rows = []
        for row in self._rows:
            place = row.pair.place
            if place.layers is None:
                rows.append(row)
            elif (number := getattr(place.layers, side)) is not None:
                own = replace(place, layer=number, layers=None)
                rows.append(replace(row, pair=replace(row.pair, place=own)))
        return ChangeTable(rows)

    def layer_label(self, layer: int) -> str:
        """What people call the layer that ``Place.layer`` calls ``layer``, by its numbers on both
        sides: one name, but where towers were aligned apart."""
        return " / ".join(dict.fromkeys(numbers.label for numbers in self.layer_numbers(layer)))

    def layer_of(self, side: Literal["base", "target"], number: int) -> int | None:
        """What ``Place.layer`` calls the layer with this own ``number`` on one ``side``; None where
        there is none."""
        if not self.alignment:
            return number
        for at in self.merged("layer"):
            if any(getattr(numbers, side) == number for numbers in self.layer_numbers(at)):
                return at
        return None

    def layer_with(self, numbers: LayerNumbers) -> int | None:
        """What ``Place.layer`` calls the layer with these ``numbers`` on each side; None where
        there is none."""
        return next((at for at in self.merged("layer") if numbers in self.layer_numbers(at)), None)

    def layer_numbers(self, layer: int) -> tuple[LayerNumbers, ...]:
        """The numbers on each side of what ``Place.layer`` calls ``layer``: one, but where towers
        were aligned apart."""
        rows = self.layer(layer)
        return tuple(dict.fromkeys(row.pair.place.numbers for row in rows))

    @property
    def experts(self) -> Mapping[str, int]:
        """The columns that have experts, with how many rows these have in layers."""
        return self._index.experts

    def ordered(self) -> Rows:
        """All rows in the order of data."""
        return self._at(self._index.ordered)

    def cell(self, layer: int | None, column: str) -> Rows:
        """The rows of the cell in ``layer`` (None outside the layers) and ``column``, see
        ``Place.column``: one, or one an expert; none where there is no such cell."""
        return self._at(self._index.cells.get((layer, column), ()))

    def layer(self, number: int) -> Rows:
        """The rows of layer ``number``, from 0, of all towers that have it."""
        return self._at(self._index.layers.get(number, ()))

    def column(self, name: str) -> Rows:
        """The rows of the column ``name`` over all layers."""
        return self._at(self._index.columns.get(name, ()))

    def at(self, place: Place) -> Change | None:
        """The row of ``place``; None where neither side has it."""
        number = self._index.places.get(place)
        return None if number is None else self._rows[number]

    def layers_of(self, column: str) -> Sequence[int]:
        """The layers that have ``column``, ascending."""
        return self._index.layered.get(column, ())

    def stored(self, change: Change) -> Change:
        """Where the tensor of ``change``, a row of this table, is measured: the row itself, and for
        a tied one the row of the place where the tensor is stored (itself, where no row measures
        that)."""
        if change.pair.status != "tied":
            return change
        for side, rows in zip((change.pair.base, change.pair.target), self._stored, strict=True):
            if side is not None and side.label in rows:
                return rows[side.label]
        return change

    def statistics(self, rows: Sequence[Change]) -> Statistics | None:
        """The merged statistics of some ``rows`` of this table; of tied ones alone, those of where
        they are stored. None where nothing of it is measured."""
        known = [row.statistics for row in rows if row.statistics is not None]
        if not known:
            stored = (self.stored(row) for row in rows if row.pair.status == "tied")
            known = list({id(s): s for row in stored if (s := row.statistics)}.values())
        return merged(known)

    @overload
    def merged(self, by: Literal["cell"]) -> Mapping[Cell, Statistics | None]: ...
    @overload
    def merged(self, by: Literal["layer"]) -> Mapping[int, Statistics | None]: ...
    @overload
    def merged(self, by: Literal["column"]) -> Mapping[str, Statistics | None]: ...
    def merged(self, by: Grouping) -> Mapping[Any, Statistics | None]:
        """The merged statistics of each group of rows ``by`` cell, layer or column, see
        ``statistics``. Each is merged when it is first asked for, and kept."""
        if by not in self._merged:
            groups: Mapping[Any, RowPositions] = getattr(self._index, _GROUPS[by])
            self._merged[by] = _MergedRows(groups, lambda rows: self.statistics(self._at(rows)))
        return self._merged[by]

    @computed_once
    def whole(self) -> Statistics | None:
        """Everything that is measured, merged; what is used twice counts once."""
        return merged([row.statistics for row in self._rows if row.statistics is not None])

    @computed_once
    def statuses(self) -> Mapping[Status, int]:
        """How many rows have each status, those that occur."""
        return dict(Counter(row.pair.status for row in self._rows))

    def to_pandas(self) -> pd.DataFrame:
        """One row a pair: place, names, shapes, types and status, then the statistics by their
        names. Missing numbers are NaN (``<NA>`` in columns of whole numbers), infinity stays.
        Raises ``MissingExtra`` without pandas."""
        from modeldiff.changes.table.plain_rows import data_frame

        return data_frame(self._rows)

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table`` that holds every bit: statistics, sums and histograms, too."""
        from modeldiff.changes.table.arrow_columns import table_of

        return table_of(self._rows)

    @computed_once
    def _stored(self) -> tuple[Mapping[str, Change], Mapping[str, Change]]:
        """By base's and by target's stored name the row that measures the tensor. A head that
        stands against the other side's embedding comes after the embedding's own row."""
        base: dict[str, Change] = {}
        target: dict[str, Change] = {}
        for row in self._rows:
            if row.pair.status == "compared":
                for side, rows in ((row.pair.base, base), (row.pair.target, target)):
                    if side is not None:
                        rows.setdefault(side.label, row)
        return base, target

    def _at(self, numbers: RowPositions) -> Rows:
        return tuple([self._rows[number] for number in numbers])


class _MergedRows(Mapping[_Key, Statistics | None]):
    """Groups of rows, each merged at the first look."""

    def __init__(
        self,
        groups: Mapping[_Key, RowPositions],
        merge: Callable[[RowPositions], Statistics | None],
    ) -> None:
        self._groups, self._merge = groups, merge
        self._known: dict[_Key, Statistics | None] = {}

    def __getitem__(self, key: _Key) -> Statistics | None:
        if key not in self._known:
            self._known[key] = self._merge(self._groups[key])
        return self._known[key]

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)
