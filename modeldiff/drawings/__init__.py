"""Data to pictures: pure functions that know neither the page nor its theme."""

from typing import TYPE_CHECKING, Any

from modeldiff.drawings.diagram import diagram_svg
from modeldiff.drawings.heatmap_frame import heatmap_alt, heatmap_frame
from modeldiff.drawings.metrics import METRICS, Metric, metric_named
from modeldiff.drawings.palette import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.wording import (
    format_bytes,
    format_count,
    format_duration,
    format_layers,
    format_number,
    format_pct,
    format_printed,
    format_rate,
    format_shape,
    format_small,
)

if TYPE_CHECKING:
    from modeldiff.drawings.heatmap import heatmap_chart

__all__ = [
    "CSS_PALETTE",
    "DARK",
    "LIGHT",
    "METRICS",
    "Metric",
    "Palette",
    "diagram_svg",
    "format_bytes",
    "format_count",
    "format_duration",
    "format_layers",
    "format_number",
    "format_pct",
    "format_printed",
    "format_rate",
    "format_shape",
    "format_small",
    "heatmap_alt",
    "heatmap_chart",
    "heatmap_frame",
    "metric_named",
]


def __getattr__(name: str) -> Any:
    """Import what needs Altair when it is asked for: the command line formats numbers without."""
    if name == "heatmap_chart":
        from modeldiff.drawings.heatmap import heatmap_chart

        return heatmap_chart
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
