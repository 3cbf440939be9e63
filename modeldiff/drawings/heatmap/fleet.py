"""The heatmaps of many kept results in the colours of one scale, one result in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.options import HeatmapOptions, HeatmapSize
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.shared_scale import SharedTops
from modeldiff.drawings.style.metrics import Metric
from modeldiff.results import load_result

FLEET_PICTURE = HeatmapSize(
    420, font=13, rows=170, least_row=8, most_row=18, margins=False, numbers=False
)
"""Beside the numbers of its row."""
_DEFAULT = HeatmapOptions()


def fleet_heatmaps(keys: Sequence[str], metric: Metric) -> Iterator[Heatmap | None]:
    """The heatmap of each result that is kept under one of ``keys``, None where there is none, all
    in the colours of one scale. Results are read twice, so that one at a time is in memory."""
    tops = SharedTops()
    for key in keys:
        heatmap = _heatmap(key, metric)
        if heatmap is not None:
            tops.add(heatmap)
    options = replace(_DEFAULT, tops=tops.tops)
    return (_heatmap(key, metric, options) for key in keys)


def _heatmap(key: str, metric: Metric, options: HeatmapOptions = _DEFAULT) -> Heatmap | None:
    result = load_result(key)
    if result is None:
        return None
    return Heatmap.of_cells(gather_cells(result.changes), metric, options)
