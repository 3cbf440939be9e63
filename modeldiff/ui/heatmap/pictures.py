"""The heatmap's pictures: of a result they are kept; of what is measured so far one is drawn every
other second, for all who look at it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import (
    Heatmap,
    HeatmapOptions,
    HeatmapSize,
    Metric,
    gather_cells,
    heatmap_svg,
)
from modeldiff.drawings.heatmap.cells import GatheredCell
from modeldiff.drawings.heatmap.options import NARROW, PAGE, PHONE, SCREEN, TALL
from modeldiff.findings.selection import ChosenCell
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.controls.diff_progress import DiffState
from modeldiff.ui.heatmap.heatmap_options import Way
from modeldiff.ui.widgets.clickable_heatmap import PictureCell

_SIZES: Mapping[Way, Mapping[str, HeatmapSize]] = {
    "": {"phone": PHONE, "small": NARROW, "page": PAGE, "screen": SCREEN},
    "1": {"small": NARROW, "page": PAGE, "screen": SCREEN},
    "0": {"phone": PHONE, "tall": TALL},
}
"""By which way the layers run: the drawings between which the window's width chooses."""
_SECONDS_SHOWN = 2.0
"""So long a picture of what is measured so far is shown before the next one is drawn."""
_MOST_CELLS = 2_000
"""Of more cells there is a drawing less: those of a large mixture's experts are megabytes."""


@dataclass(frozen=True)
class Picture:
    """A heatmap with its drawings, each made when it is first asked for."""

    heatmap: Heatmap

    @cached_property
    def cells(self) -> tuple[PictureCell, ...]:
        """What each cell of the drawings chooses and says; at last the blocks of layers."""
        readings = self.heatmap.readings
        cells = [
            (ChosenCell(one.cell.layer, one.cell.column, one.cell.expert), one.description)
            for one in readings
        ]
        blocks = [
            (ChosenCell(block.layer, ""), block.description) for block in self.heatmap.lines.blocks
        ]
        return (*cells, *blocks)

    def position(self, chosen: ChosenCell) -> int | None:
        """Which cell is chosen; one of a layer that one side alone has is that layer's block."""
        heatmap = self.heatmap
        for number, block in enumerate(heatmap.lines.blocks):
            if chosen.layer is not None and 0 <= chosen.layer - block.layer < block.count:
                return len(heatmap.readings) + number
        return heatmap.position(chosen.layer, chosen.column, chosen.expert)

    def drawings(self, way: Way) -> Mapping[str, str]:
        """The drawings for layers that run this way, by name."""
        sizes = dict(_SIZES[way])
        if len(self.heatmap.readings) > _MOST_CELLS:
            sizes.pop("small", None)
        return self.drawn(sizes)

    def drawn(self, sizes: Mapping[str, HeatmapSize]) -> Mapping[str, str]:
        """A drawing of each of these sizes, by name."""
        return {name: self._drawing(size) for name, size in sizes.items()}

    @cached_property
    def _made(self) -> dict[HeatmapSize, str]:
        return {}

    def _drawing(self, size: HeatmapSize) -> str:
        if size not in self._made:
            self._made[size] = heatmap_svg(self.heatmap, size)
        return self._made[size]


def picture_of(
    comparison: Comparison,
    state: DiffState,
    changes: ChangeTable,
    metric: Metric,
    options: HeatmapOptions,
) -> Picture:
    """The picture of a result, kept; of what is measured so far, as it was at most
    ``_SECONDS_SHOWN`` ago; of what nobody measures now, as it is."""
    if state.result is not None:
        return _kept_picture(state.result.key, metric.key, options, comparison, changes, metric)
    job = state.job
    if job is None:
        cells = _gathered(comparison, changes, options.experts)
        return Picture(Heatmap.of_cells(cells, metric, options))
    moment = time.monotonic() // _SECONDS_SHOWN if job.active else -len(job.changes)
    return _picture_so_far(
        (job.id, moment, *comparison.references), metric.key, options, comparison, changes, metric
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _picture_so_far(
    moment: tuple[object, ...],
    metric_key: str,
    options: HeatmapOptions,
    _comparison: Comparison,
    _changes: ChangeTable,
    _metric: Metric,
) -> Picture:
    """Whoever comes first at a moment draws, and the others wait for it: fifty viewers cost what
    one costs."""
    del moment, metric_key
    cells = _gathered(_comparison, _changes, options.experts)
    return Picture(Heatmap.of_cells(cells, _metric, options))


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept_picture(
    key: str,
    metric_key: str,
    options: HeatmapOptions,
    _comparison: Comparison,
    _changes: ChangeTable,
    _metric: Metric,
) -> Picture:
    """Shared and not copied: nothing changes a picture once it is drawn."""
    del metric_key
    cells = _kept_cells(key, options.experts, _comparison, _changes)
    return Picture(Heatmap.of_cells(cells, _metric, options))


@st.cache_resource(max_entries=16, show_spinner=False)
def _kept_cells(
    key: str, experts: str, _comparison: Comparison, _changes: ChangeTable
) -> tuple[GatheredCell, ...]:
    del key
    return _gathered(_comparison, _changes, experts)


def _gathered(
    comparison: Comparison, changes: ChangeTable, experts: str
) -> tuple[GatheredCell, ...]:
    base, target = comparison.base.architecture, comparison.target.architecture
    return gather_cells(changes, base, target, experts=experts)
