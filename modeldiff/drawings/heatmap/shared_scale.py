"""Several pairs in the same colours: scales that end where the furthest of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modeldiff.drawings.heatmap.picture import Heatmap


def on_one_scale(heatmaps: Sequence[Heatmap]) -> tuple[Heatmap, ...]:
    """The heatmaps, all of one metric and with the default sharing of scales, so that one colour
    is one number in all of them."""
    tops: dict[str, float] = {}
    for heatmap in heatmaps:
        scales = heatmap.scales
        for name, scale in scales.scales.items():
            ramp = scales.ramp(name)
            tops[ramp] = max(tops.get(ramp, 0.0), scale.top)
    shared = tops.get("heat"), tops.get("second")
    return tuple(
        replace(heatmap, options=replace(heatmap.options, tops=shared)) for heatmap in heatmaps
    )
