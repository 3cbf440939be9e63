"""Layers of a small chart as the page shows it: as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair as alt


def fitted(layers: Sequence[alt.Chart], height: int) -> alt.LayerChart:
    """The layers over one another. ``height`` in pixels is the plot's own, without its axes."""
    import altair as alt

    chart = alt.LayerChart(
        layer=list(layers),
        height=height,
        padding={"left": 0, "right": 3, "top": 3, "bottom": 0},
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    framed: alt.LayerChart = chart.configure(view=alt.ViewConfig(strokeWidth=0))
    return framed
