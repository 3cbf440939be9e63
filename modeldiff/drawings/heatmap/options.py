"""What can be chosen of the heatmap's picture, apart from the metric; and how large it is drawn."""

from __future__ import annotations

from typing import Literal

from modeldiff.processes.late_dataclass import dataclass

Sharing = Literal["kind", "one", "group", "component"]
"""Which cells share a scale: matrices, and apart from them norms and biases; all; attention, MLP,
norms … apart; each component by itself."""


@dataclass(frozen=True)
class HeatmapOptions:
    """What the picture shows. ``log``: colours show ratios. ``by_change``: the components that
    changed most first. ``experts``: the column whose experts are shown one by one; empty folds them
    into a cell. ``tops``: where the scales of the matrices and of norms and biases end, so that
    pairs can be compared; None for what suits the pair. Scales of groups or components have their
    own, and so has a metric that falls with change."""

    scale: Sharing = "kind"
    log: bool = False
    by_change: bool = False
    experts: str = ""
    tops: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class HeatmapSize:
    """How large a heatmap is drawn, in pixels of the drawing.

    ``across``: layers stand side by side and components below each other; else the other way round.
    ``rows`` is the height that all rows share; a row is never lower than ``least_row``, and never
    higher than ``most_row`` (norms have ``NORM_ROW`` of it). ``widest`` is the most that a column
    gets: a shallow model is not stretched over the whole ``width``. ``numbers``: in the cells,
    where they have room. ``margins``: what each layer and each component comes to.
    ``legend_first``: the scales stand over the cells and not below.
    """

    width: float
    font: float = 14.0
    across: bool = True
    rows: float = 360.0
    least_row: float = 17.0
    most_row: float = 64.0
    widest: float = 96.0
    numbers: bool = True
    margins: bool = True
    legend_first: bool = False


NORM_ROW = 0.62
"""A row of norms is so much lower: their numbers are small beside those of matrices, and must not
look as loud."""

SCREEN = HeatmapSize(1240, rows=470)
"""A whole screen of 16 : 9, as it is projected."""
PAGE = HeatmapSize(1080, rows=350)
"""The width of a page, beneath its choosers."""
GLANCE = HeatmapSize(736, font=13, rows=290, margins=False, numbers=False, most_row=28)
"""Beside something else: colours, and the numbers outside the layers."""
NARROW = HeatmapSize(640, font=13, rows=290, margins=False, numbers=False, most_row=28)
"""Beside a panel that takes a third of the page."""
TALL = HeatmapSize(
    1080, across=False, rows=0, least_row=24, most_row=24, widest=200, legend_first=True
)
"""The width of a page, with layers down."""
PHONE = HeatmapSize(
    398,
    font=13,
    across=False,
    rows=0,
    least_row=24,
    most_row=24,
    margins=False,
    legend_first=True,
)
"""The width of a phone."""
