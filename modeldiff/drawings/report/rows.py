"""The report's rows: what the heatmap shows in one cell is one row, and so is each of its margins.

Experts of one layer are folded into one row, so a model of 45,000 tensors has some thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes import ChangeTable, Statistics, merge_statistics
from modeldiff.drawings.heatmap.cells import GatheredCell, gather_cells
from modeldiff.drawings.heatmap.marks import NOT_FINITE
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.readings import Reading
from modeldiff.drawings.heatmap.stored import stored_as
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import MISSING

RowRegion = Literal["whole", "column", "layer", "above", "grid", "below"]
"""Where a row's cell stands: ``grid`` is a layer's, ``above`` and ``below`` are outside the layers;
``column`` is a component over all layers, ``layer`` a layer over all its components."""

_ORDER: tuple[RowRegion, ...] = ("whole", "column", "layer", "above", "grid", "below")
MARGINS: tuple[RowRegion, ...] = ("whole", "column", "layer")
"""What stands over several places."""


@dataclass(frozen=True)
class Row:
    """One row. ``layer_label`` is what people call the layer, ``rank`` the column's number in data
    order, ``broken`` that some elements are not finite; ``tensors`` is how many pairs are merged.
    ``at`` is the position of its cell among the readings of each heatmap; None for the whole."""

    region: RowRegion
    layer: int | None
    layer_label: str
    column: str
    rank: int
    status: str
    broken: bool
    note: str
    place: str
    stored: str
    shapes: str
    tensors: int
    statistics: Statistics | None
    at: int | None


@dataclass(frozen=True)
class ReportRows:
    """The rows that are shown, of ``total``, and for each metric that any of these has a value of
    its heatmap. ``first`` is the one to begin with: of the median, or where that shows no change
    anywhere (most elements rounded to what they were) of the first metric that does."""

    rows: tuple[Row, ...]
    total: int
    heatmaps: tuple[Heatmap, ...]
    first: int

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics shown."""
        return tuple(heatmap.metric for heatmap in self.heatmaps)

    def fewer(self, most: int) -> ReportRows:
        """At most so many of the rows, in the same order: margins first, then what changed most."""
        if len(self.rows) <= most:
            return self

        def extent(at: int) -> tuple[bool, float]:
            row = self.rows[at]
            value = METRICS[0].value(row.statistics)
            return row.region in MARGINS, -1.0 if value is None else value

        kept = sorted(sorted(range(len(self.rows)), key=extent, reverse=True)[:most])
        rows = [self.rows[at] for at in kept]
        cells = [row.at for row in rows if row.at is not None]
        cells.sort()
        new = {old: at for at, old in enumerate(cells)}
        heatmaps = tuple(
            Heatmap(tuple(each.readings[at] for at in cells), each.metric) for each in self.heatmaps
        )
        moved = (replace(row, at=None if row.at is None else new[row.at]) for row in rows)
        return replace(self, rows=tuple(moved), heatmaps=heatmaps)


def read_rows(changes: ChangeTable, *architectures: Architecture) -> ReportRows:
    """All rows: the margins first, then the cells in the order in which data passes."""
    cells = gather_cells(changes, *architectures, all_columns=True)
    heatmaps = [Heatmap.of_cells(cells, metric) for metric in METRICS]
    readings = heatmaps[0].readings
    shown = tuple(h for h in heatmaps if any(one.value is not None for one in h.readings))
    rows = [
        _row(at, reading)
        for at, reading in enumerate(readings)
        if reading.cell.region not in MARGINS or reading.cell.statistics is not None
    ]
    rows += _whole(cells)
    first = next((at for at, each in enumerate(shown) if _shows_change(each)), 0)
    return ReportRows(tuple(sorted(rows, key=_position)), len(rows), shown, first)


def _row(at: int, reading: Reading) -> Row:
    cell = reading.cell
    statuses = {row.pair.status for row in cell.rows}
    status = "compared" if "compared" in statuses else cell.rows[0].pair.status
    stored = stored_as(cell)
    return Row(
        region=cell.region,
        layer=cell.layer,
        layer_label=cell.layer_label,
        column=cell.column,
        rank=cell.rank,
        status="merged" if cell.region in MARGINS else status,
        broken=reading.mark == NOT_FINITE,
        note=reading.note,
        place=reading.place,
        stored=_both(cell, stored.base_name, stored.target_name),
        shapes=_both(cell, stored.base_shape, stored.target_shape),
        tensors=len(cell.rows),
        statistics=cell.statistics,
        at=at,
    )


def _shows_change(heatmap: Heatmap) -> bool:
    return any(heatmap.scales.heat(heatmap.readings))


def _whole(cells: Sequence[GatheredCell]) -> list[Row]:
    """The whole model: merged from sums and histograms, what is used twice counted once."""
    statistics = [
        row.statistics
        for cell in cells
        if cell.region not in MARGINS
        for row in cell.rows
        if row.statistics is not None
    ]
    if not statistics:
        return []
    name, merged = "the whole model", merge_statistics(statistics)
    empty = ("merged", False, "", name, MISSING, MISSING)
    return [Row("whole", None, "", "", 0, *empty, len(statistics), merged, None)]


def _position(row: Row) -> tuple[int, int, int]:
    return _ORDER.index(row.region), -1 if row.layer is None else row.layer, row.rank


def _both(cell: GatheredCell, base: str, target: str) -> str:
    """What both sides have in common, said once; nothing that holds for a margin."""
    if cell.region in MARGINS:
        return MISSING
    return base if base == target else f"{base} → {target}"
