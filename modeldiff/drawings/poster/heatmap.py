"""The heatmap for a poster."""

from __future__ import annotations

from modeldiff.comparison import Comparison
from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.drawing import heatmap_svg
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.drawings.style.palette import Palette
from modeldiff.results import Result


def poster_heatmap(
    result: Result, comparison: Comparison | None, palette: Palette, size: HeatmapSize
) -> str:
    """The heatmap of a result's median change as an SVG of this ``size``; without the
    ``comparison`` its columns are grouped by their names alone."""
    sides = () if comparison is None else (comparison.base, comparison.target)
    architectures = [side.architecture for side in sides]
    cells = gather_cells(result.changes, *architectures)
    return heatmap_svg(Heatmap.of_cells(cells, METRICS[0]), size, palette=palette)
