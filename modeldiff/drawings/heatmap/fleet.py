"""The heatmaps of many kept results in the colours of one scale, one result in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable

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
FleetTops = tuple[float | None, float | None]
"""Where the scales end, as ``HeatmapOptions.tops`` has them."""


def fleet_tops(keys: Iterable[str], metric: Metric) -> FleetTops:
    """Where the scales of the results that are kept under these ``keys`` end together."""
    shared = SharedTops()
    for key in keys:
        heatmap = fleet_heatmap(key, metric, (None, None))
        if heatmap is not None:
            shared.add(heatmap)
    return shared.tops


def fleet_heatmap(key: str, metric: Metric, tops: FleetTops) -> Heatmap | None:
    """The heatmap of the result that is kept under ``key``, with scales that end at ``tops``; None
    where there is no such result."""
    result = load_result(key)
    if result is None:
        return None
    return Heatmap.of_cells(gather_cells(result.changes), metric, HeatmapOptions(tops=tops))
