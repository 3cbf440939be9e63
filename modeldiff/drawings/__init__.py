"""Data to pictures: pure functions that know neither the page nor its theme."""

from typing import TYPE_CHECKING, Any

from modeldiff.drawings.diagram.diagram import diagram_svg
from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.frame import cells_frame, heatmap_alt
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.metrics import METRICS, Metric, metric_named
from modeldiff.drawings.style.palette import CSS_PALETTE, DARK, LIGHT, Palette

if TYPE_CHECKING:
    from modeldiff.drawings.heatmap.chart import heatmap_chart, heatmap_guide, heatmap_spec

__all__ = [
    "CSS_PALETTE",
    "DARK",
    "LIGHT",
    "METRICS",
    "HeatmapOptions",
    "Metric",
    "Palette",
    "cells_frame",
    "diagram_svg",
    "gather_cells",
    "heatmap_alt",
    "heatmap_chart",
    "heatmap_guide",
    "heatmap_spec",
    "metric_named",
]


def __getattr__(name: str) -> Any:
    """Import what needs Altair when it is asked for: the command line formats numbers without."""
    if name in ("heatmap_chart", "heatmap_guide", "heatmap_spec"):
        from modeldiff.drawings.heatmap import chart as heatmap

        return getattr(heatmap, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
