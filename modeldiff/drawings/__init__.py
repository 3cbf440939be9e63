"""Data to pictures: pure functions that know neither the page nor its theme."""

from modeldiff.drawings.heatmap import heatmap_alt, heatmap_chart
from modeldiff.drawings.heatmap_frame import heatmap_frame
from modeldiff.drawings.metrics import METRICS, Metric, metric_named
from modeldiff.drawings.palette import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.drawings.wording import (
    format_bytes,
    format_count,
    format_duration,
    format_layers,
    format_number,
    format_pct,
    format_rate,
    format_shape,
    format_small,
)

__all__ = [
    "CSS_PALETTE",
    "DARK",
    "LIGHT",
    "METRICS",
    "Metric",
    "Palette",
    "format_bytes",
    "format_count",
    "format_duration",
    "format_layers",
    "format_number",
    "format_pct",
    "format_rate",
    "format_shape",
    "format_small",
    "heatmap_alt",
    "heatmap_chart",
    "heatmap_frame",
    "metric_named",
]
