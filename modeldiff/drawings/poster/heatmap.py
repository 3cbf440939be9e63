"""The heatmap for a poster: any SVG will do in its place."""

from __future__ import annotations

from modeldiff.comparison import Comparison
from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.frame import cells_frame
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.drawings.style.palette import Palette
from modeldiff.results import Result


def poster_heatmap(result: Result, comparison: Comparison, palette: Palette) -> str:
    """The heatmap of a result's median change, layers side by side, as an SVG."""
    # Late: it needs Altair, and who only formats a number does not.
    from modeldiff.drawings.heatmap.chart import heatmap_chart
    from modeldiff.drawings.output.rendering import chart_to_svg

    architectures = comparison.base.architecture, comparison.target.architecture
    frame = cells_frame(gather_cells(result.changes, *architectures), METRICS[0])
    options = HeatmapOptions(across=True)
    return chart_to_svg(heatmap_chart(frame, METRICS[0], palette=palette, options=options))
