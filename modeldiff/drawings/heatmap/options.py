"""What can be chosen of the heatmap's picture, apart from the metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sharing = Literal["auto", "one", "kind", "group", "component"]
"""Which cells share a scale: all; matrices, norms and vectors apart; attention, MLP, norms … apart;
each component by itself. ``auto`` is ``one``, or ``kind`` where one would be misleading."""


@dataclass(frozen=True)
class HeatmapOptions:
    """How the picture is drawn. ``log``: colours show ratios. ``across``: layers stand side by
    side and components below each other. ``by_change``: the components that changed most first.
    ``experts``: the column whose experts are shown one by one; empty folds them into a cell."""

    scale: Sharing = "auto"
    log: bool = False
    across: bool = False
    by_change: bool = False
    experts: str = ""
