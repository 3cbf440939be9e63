"""The heatmap's rows, straight from a change table."""

from __future__ import annotations

import pandas as pd

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.frame import cells_frame
from modeldiff.drawings.style.metrics import Metric


def heatmap_frame(
    table: ChangeTable,
    base: Architecture,
    target: Architecture,
    metric: Metric,
    *,
    experts: str = "",
) -> pd.DataFrame:
    """The rows of ``cells_frame`` for a comparison.

    ``experts`` names a column to unfold, see ``HeatmapOptions``.
    """
    return cells_frame(gather_cells(table, base, target, experts=experts), metric)
