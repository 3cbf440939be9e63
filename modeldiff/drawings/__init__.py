"""Data to pictures: pure functions that know neither the page nor its theme."""

from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.options import HeatmapOptions, HeatmapSize
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.drawing import heatmap_svg
from modeldiff.drawings.style.metrics import METRICS, Metric, metric_named
from modeldiff.drawings.style.palette import CSS_PALETTE, DARK, LIGHT, Palette

__all__ = [
    "CSS_PALETTE",
    "DARK",
    "LIGHT",
    "METRICS",
    "Heatmap",
    "HeatmapOptions",
    "HeatmapSize",
    "Metric",
    "Palette",
    "gather_cells",
    "heatmap_svg",
    "metric_named",
]
