"""The report's rows: what the heatmap shows in one cell is one row, and so is each of its margins.

Experts of one layer are folded into one row, so a model of 45,000 tensors has some thousand rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes import ChangeTable, Statistics, merge_statistics
from modeldiff.drawings.heatmap.cells import GatheredCell, gather_cells
from modeldiff.drawings.heatmap.colour_scales import ColourScales, choose_colour_scales
from modeldiff.drawings.heatmap.frame import NOT_FINITE, PARTIAL, cells_frame
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.text.formatting import MISSING

STEPS = 32
"""Steps of colour between no change and the top of a scale."""

RowRegion = Literal["whole", "column", "layer", "above", "grid", "below"]
"""Where a row's cell stands: ``grid`` is a layer's, ``above`` and ``below`` are outside the layers;
``column`` is a component over all layers, ``layer`` a layer over all its components."""

_ORDER: tuple[RowRegion, ...] = ("whole", "column", "layer", "above", "grid", "below")
MARGINS: tuple[RowRegion, ...] = ("whole", "column", "layer")
"""What stands over several places."""


@dataclass(frozen=True)
class Row:
    """One row. ``layer_label`` and ``layer_short`` are what people call the layer, ``rank`` is the
    column's number in data order, ``group`` its sublayer, ``mark`` says why there are no
    statistics, or that some elements are not finite; ``partial`` that a part of the rows was
    compared; ``tensors`` is how many pairs are merged. ``steps`` has for each metric shown the step
    of colour; None without one, as in the margins."""

    region: RowRegion
    layer: int | None
    layer_label: str
    layer_short: str
    column: str
    rank: int
    group: str
    status: str
    mark: str
    partial: bool
    note: str
    place: str
    stored: str
    shapes: str
    tensors: int
    statistics: Statistics | None
    steps: tuple[int | None, ...]


@dataclass(frozen=True)
class ReportRows:
    """The rows that are shown, of ``total``, and the metrics that any of these has a value of, each
    with its scales. ``first`` is the metric to begin with: the median, or where that shows no
    change anywhere (most elements rounded to what they were) the first one that does."""

    rows: tuple[Row, ...]
    total: int
    shown: tuple[tuple[Metric, ColourScales], ...]
    first: int

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics shown."""
        return tuple(metric for metric, _ in self.shown)

    def fewer(self, most: int) -> ReportRows:
        """At most so many of the rows, in the same order: margins first, then what changed most."""
        if len(self.rows) <= most:
            return self

        def extent(at: int) -> tuple[bool, float]:
            row = self.rows[at]
            value = METRICS[0].value(row.statistics)
            return row.region in MARGINS, -1.0 if value is None else value

        kept = sorted(range(len(self.rows)), key=extent, reverse=True)[:most]
        return replace(self, rows=tuple(self.rows[at] for at in sorted(kept)))


def read_rows(changes: ChangeTable, *architectures: Architecture) -> ReportRows:
    """All rows: the margins first, then the cells in the order in which data passes."""
    cells = gather_cells(changes, *architectures)
    frame = cells_frame(cells, METRICS[0])
    shown, steps = [], []
    for metric in METRICS:
        values = [_finite(metric.value(cell.statistics)) for cell in cells]
        if all(map(math.isnan, values)):
            continue
        valued = frame.assign(value=values)
        scales = choose_colour_scales(valued, metric, HeatmapOptions())
        shown.append((metric, scales))
        heats = scales.heat(valued)
        steps.append([None if math.isnan(heat) else round(STEPS * heat) for heat in heats])
    rows = [
        Row(
            region=cell.region,
            layer=cell.layer,
            layer_label=cell.layer_label,
            layer_short=cell.layer_lines.replace("\n", " → "),
            column=cell.column,
            rank=cell.rank,
            group=cell.group,
            status="merged" if cell.region in MARGINS else words["status"],
            mark=""
            if cell.statistics is not None and words["mark"] != NOT_FINITE
            else words["mark"],
            partial=words["mark"] == PARTIAL,
            note=words["note"],
            place=words["place"],
            stored=_both(cell, words["base_name"], words["target_name"]),
            shapes=_both(cell, words["base_shape"], words["target_shape"]),
            tensors=len(cell.rows),
            statistics=cell.statistics,
            steps=tuple(each[number] for each in steps),
        )
        for number, (cell, words) in enumerate(zip(cells, frame.to_dict("records"), strict=True))
        if cell.region not in MARGINS or cell.statistics is not None
    ]
    rows += _whole(cells, len(steps))
    first = next((at for at, each in enumerate(steps) if any(each)), 0)
    return ReportRows(tuple(sorted(rows, key=_position)), len(rows), tuple(shown), first)


def _whole(cells: Sequence[GatheredCell], metrics: int) -> list[Row]:
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
    none = (None,) * metrics
    empty = ("merged", "", False, "", name, MISSING, MISSING)
    return [Row("whole", None, "", "", "", 0, "", *empty, len(statistics), merged, none)]


def _finite(value: float | None) -> float:
    return math.nan if value is None or math.isinf(value) else value


def _position(row: Row) -> tuple[int, int, int]:
    return _ORDER.index(row.region), -1 if row.layer is None else row.layer, row.rank


def _both(cell: GatheredCell, base: str, target: str) -> str:
    """What both sides have in common, said once; nothing that holds for a margin."""
    if cell.region in MARGINS:
        return MISSING
    return base if base == target else f"{base} → {target}"
