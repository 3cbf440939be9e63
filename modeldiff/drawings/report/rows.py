"""The report's rows: what the heatmap shows in one cell is one row, and so is each of its margins.

Experts of one layer are folded into one row, so a model of 45,000 tensors has some thousand rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes import Change, Statistics
from modeldiff.drawings.heatmap_frame import heatmap_frame
from modeldiff.drawings.metrics import METRICS
from modeldiff.results import merge_by
from modeldiff.wording import MISSING

Region = Literal["whole", "column", "layer", "above", "grid", "below"]
"""Where a row's cell stands: ``grid`` is a layer's, ``above`` and ``below`` are outside the layers;
``column`` is a component over all layers, ``layer`` a layer over all its components."""

_ORDER: tuple[Region, ...] = ("whole", "column", "layer", "above", "grid", "below")


@dataclass(frozen=True)
class Row:
    """One row. ``rank`` is the column's number in data order, ``group`` its sublayer, ``mark`` says
    why there are no statistics, ``tensors`` is how many pairs are merged."""

    region: Region
    layer: int | None
    column: str
    rank: int
    group: str
    status: str
    mark: str
    note: str
    stored: str
    shapes: str
    tensors: int
    statistics: Statistics | None

    @property
    def place(self) -> str:
        """The place in words."""
        if self.region == "whole":
            return "the whole model"
        if self.region == "column":
            return f"all layers · {self.column}"
        if self.region == "layer":
            return f"layer {self.layer} · all its tensors"
        return self.column if self.layer is None else f"layer {self.layer} · {self.column}"


def read_rows(
    changes: Sequence[Change], base: Architecture, target: Architecture
) -> tuple[Row, ...]:
    """All rows: the margins first, then the cells in the order in which data passes."""
    frame = heatmap_frame(changes, base, target, METRICS[0])
    merged = merge_by(changes, lambda c: (c.pair.place.layer, c.pair.place.column))
    counts = Counter((c.pair.place.layer, c.pair.place.column) for c in changes)
    stored = {
        c.pair.base.name: c.statistics
        for c in changes
        if c.statistics is not None and c.pair.base is not None
    }
    rows = []
    cells = frame[frame["region"].isin(["above", "grid", "below"])]
    for cell in cells.to_dict("records"):
        # NA is no layer, and not an int.
        layer = cell["layer"] if isinstance(cell["layer"], int) else None
        key = (layer, cell["column"])
        statistics = merged.get(key)
        if cell["status"] == "tied":
            statistics = stored.get(cell["base_name"])
        rows.append(
            Row(
                region=cell["region"],
                layer=layer,
                column=cell["column"],
                rank=int(cell["rank"]),
                group=cell["group"],
                status=cell["status"],
                mark="" if statistics is not None else cell["mark"],
                note=cell["note"],
                stored=_both(cell["base_name"], cell["target_name"]),
                shapes=_both(cell["base_shape"], cell["target_shape"]),
                tensors=counts[key],
                statistics=statistics,
            )
        )
    rows += _margins(changes, rows)
    return tuple(sorted(rows, key=_position))


def most_telling(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    """At most so many of the rows, in the same order: margins first, then what changed most."""
    if len(rows) <= most:
        return tuple(rows)

    def extent(row: Row) -> tuple[int, float]:
        value = METRICS[0].value(row.statistics)
        return _ORDER.index(row.region) < 3, -1.0 if value is None else value

    kept = sorted(range(len(rows)), key=lambda at: extent(rows[at]), reverse=True)[:most]
    return tuple(rows[at] for at in sorted(kept))


def _margins(changes: Iterable[Change], cells: Sequence[Row]) -> list[Row]:
    """What stands over several cells: merged from their sums and histograms, not averaged."""
    compared = [change for change in changes if change.statistics is not None]
    inside = [change for change in compared if change.pair.place.layer is not None]
    rank = {cell.column: (cell.rank, cell.group) for cell in cells}
    columns = Counter(change.pair.place.column for change in inside)
    found = [
        _margin("column", None, column, *rank.get(column, (0, "")), columns[column], statistics)
        for column, statistics in merge_by(inside, lambda c: c.pair.place.column).items()
    ]
    layers = Counter(change.pair.place.layer for change in inside)
    found += [
        _margin("layer", layer, "", 0, "", layers[layer], statistics)
        for layer, statistics in merge_by(inside, lambda c: c.pair.place.layer).items()
    ]
    whole = merge_by(compared, lambda _: None)
    found += [_margin("whole", None, "", 0, "", len(compared), one) for one in whole.values()]
    return found


def _margin(
    region: Region,
    layer: int | None,
    column: str,
    rank: int,
    group: str,
    tensors: int,
    statistics: Statistics,
) -> Row:
    return Row(
        region, layer, column, rank, group, "merged", "", "", MISSING, MISSING, tensors, statistics
    )


def _position(row: Row) -> tuple[int, int, int]:
    return _ORDER.index(row.region), -1 if row.layer is None else row.layer, row.rank


def _both(base: str, target: str) -> str:
    return base if base == target else f"{base} → {target}"
