"""The heatmap as a figure of a paper: as wide as is asked for, with a caption for the text around
it."""

from __future__ import annotations

import math

from modeldiff.drawings.heatmap.options import SCREEN, TALL, HeatmapSize
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.drawing import PADDING, heatmap_svg
from modeldiff.drawings.style.palette import Palette

TEXT_PX = SCREEN.font
"""The size of its text, in pixels."""
_NARROW = 640.0
"""Up to this width layers stand below each other, unless that is chosen otherwise."""
_ROWS, _LEAST_ROWS = 0.38, 300.0
"""The height of all rows together as a share of the width, and the least of it in pixels."""


def heatmap_figure(
    heatmap: Heatmap,
    width: float,
    palette: Palette,
    *,
    across: bool | None = None,
    selected: int | None = None,
) -> str:
    """The drawing, ``width`` pixels wide with its margin. ``across``: layers stand side by side;
    None for what suits the width. ``selected`` is the position of a reading that is outlined."""
    if across is None:
        across = width > _NARROW
    size = _across(width) if across else _down(width)
    return heatmap_svg(heatmap, size, palette=palette, selected=selected)


def heatmap_caption(heatmap: Heatmap, names: tuple[str, str]) -> str:
    """What the figure shows; ``names`` are those of base and target."""
    return (
        f"{heatmap.metric.label} of each tensor from {names[0]} to {names[1]}, layers by "
        f"components. {heatmap.metric.description} {heatmap.guide}"
    )


def _across(width: float) -> HeatmapSize:
    rows = max(_ROWS * width, _LEAST_ROWS)
    return HeatmapSize(width - 2 * PADDING, font=TEXT_PX, rows=rows, widest=math.inf)


def _down(width: float) -> HeatmapSize:
    return HeatmapSize(
        width - 2 * PADDING,
        font=TEXT_PX,
        across=False,
        rows=0,
        least_row=TALL.least_row,
        most_row=TALL.most_row,
        widest=math.inf,
        margins=width > _NARROW,
        legend_first=True,
    )
