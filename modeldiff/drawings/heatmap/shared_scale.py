"""Several pairs in the same colours: scales that end where the furthest of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modeldiff.drawings.heatmap.picture import Heatmap


class SharedTops:
    """Where the scales of several heatmaps end together, all of one metric and with the default
    sharing of scales: for who cannot hold all of them at once."""

    def __init__(self) -> None:
        self._tops: dict[str, float] = {}

    def add(self, heatmap: Heatmap) -> None:
        """Take one more into account."""
        scales = heatmap.scales
        for name, scale in scales.scales.items():
            ramp = scales.ramp(name)
            self._tops[ramp] = max(self._tops.get(ramp, 0.0), scale.top)

    @property
    def tops(self) -> tuple[float | None, float | None]:
        """The ends, as ``HeatmapOptions.tops`` has them."""
        return self._tops.get("heat"), self._tops.get("second")


def on_one_scale(heatmaps: Sequence[Heatmap]) -> tuple[Heatmap, ...]:
    """The heatmaps, all of one metric and with the default sharing of scales, so that one colour
    is one number in all of them."""
    shared = SharedTops()
    for heatmap in heatmaps:
        shared.add(heatmap)
    return tuple(
        replace(heatmap, options=replace(heatmap.options, tops=shared.tops)) for heatmap in heatmaps
    )
