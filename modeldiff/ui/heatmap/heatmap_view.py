"""The heatmap with its choosers, the narrative over it, and beside it what is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import TYPE_CHECKING

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import (
    LIGHT,
    HeatmapOptions,
    Metric,
    Palette,
    cells_frame,
    gather_cells,
    heatmap_alt,
    heatmap_chart,
    heatmap_guide,
    heatmap_spec,
)
from modeldiff.drawings.heatmap.cells import GatheredCell
from modeldiff.drawings.output.rendering import chart_to_svg
from modeldiff.findings.selection import ChosenCell, chosen_cell
from modeldiff.ui.controls.choosers import choose_metric
from modeldiff.ui.controls.diff_progress import DiffState, changes_so_far
from modeldiff.ui.controls.downloads import drawing_downloads, provenance
from modeldiff.ui.heatmap.cell_panel import cell_panel
from modeldiff.ui.heatmap.heatmap_options import (
    choose_picture,
    choose_scale_sharing,
    chosen_options,
)
from modeldiff.ui.session.url_state import View, change_view, current_view
from modeldiff.ui.summary.narrative_panel import narrative_in_short
from modeldiff.ui.widgets.chart_selection import chart_key, clicked

if TYPE_CHECKING:
    import pandas as pd
    from altair import LayerChart

    from modeldiff.drawings.heatmap.chart import HeatmapSpec

_CHART, _SELECTION = "heatmap_chart", "cell"
_CAPTION = 150
"""Letters in a line of a file's caption."""
_WIDE = 40
"""With more columns than this, the picture takes the page's whole width."""


def heatmap_view(comparison: Comparison, state: DiffState) -> None:
    """Draw narrative, choosers, chart and panel. What is not measured yet stays grey."""
    view = current_view("heatmap")
    if state.result is not None:
        narrative_in_short(state.result)
    changes = changes_so_far(comparison, state)
    experts = changes.experts
    options = chosen_options(experts)
    expert = view.expert if options.experts and options.experts == view.component else None
    chosen = chosen_cell(changes, view.layer, view.component, expert)
    metric = _choosers(view, options, experts)
    picture = _picture(comparison, state, changes, metric, options)
    if picture.columns > _WIDE:
        chart_side, panel_side = st.container(), st.container()
    else:
        chart_side, panel_side = st.columns([3, 2], gap="medium")
    with chart_side:
        _chart(comparison, state, picture, chosen)
    with panel_side, st.container(border=True, key="place_panel"):
        cell_panel(comparison, changes, chosen)


def _choosers(view: View, options: HeatmapOptions, experts: Mapping[str, int]) -> Metric:
    of_metric, of_scale, of_picture = st.columns([3, 3, 1.4], vertical_alignment="bottom")
    with of_metric:
        metric = choose_metric(view)
    with of_scale:
        choose_scale_sharing(options)
    with of_picture:
        choose_picture(options, experts)
    return metric


def _chart(
    comparison: Comparison, state: DiffState, picture: _Picture, chosen: ChosenCell | None
) -> None:
    selected = None if chosen is None else (chosen.layer, chosen.column)
    expert = None if chosen is None else chosen.expert
    key = chart_key(_CHART, _SELECTION, None if chosen is None else vars(chosen))
    with st.container(key="heatmap"):
        st.vega_lite_chart(
            spec=picture.spec.with_selected(selected, expert),
            key=key,
            on_select=lambda: _choose(key),
            selection_mode=_SELECTION,
            alt=picture.described,
        )
    st.caption(picture.says)
    drawing_downloads(
        "modeldiff-heatmap",
        lambda: chart_to_svg(
            picture.draw(LIGHT, selected, expert),
            title=comparison.names_text,
            caption=(*provenance(comparison, state), *wrap(picture.says, _CAPTION)),
        ),
    )


def _choose(key: str) -> None:
    """Carry a click to the URL: a cell, a whole layer or a column over all layers; none, where a
    double click took it back."""
    datum = clicked(key, _SELECTION) or {}
    change_view(
        layer=datum.get("layer"),
        component=datum.get("column") or None,
        expert=datum.get("expert"),
    )


@dataclass(frozen=True)
class _Picture:
    """A frame with its metric and options, and all that follows from these alone."""

    frame: pd.DataFrame
    metric: Metric
    options: HeatmapOptions

    @cached_property
    def spec(self) -> HeatmapSpec:
        return heatmap_spec(self.draw(None))

    @cached_property
    def described(self) -> str:
        return heatmap_alt(self.frame, self.metric)

    @cached_property
    def says(self) -> str:
        words = heatmap_guide(self.frame, self.metric, self.options)
        return f"{self.metric.description} {words}"

    @cached_property
    def columns(self) -> int:
        margin = "layer" if self.options.across else "column"
        return int((self.frame["region"] == margin).sum())

    def draw(
        self,
        palette: Palette | None,
        selected: tuple[int | None, str] | None = None,
        expert: int | None = None,
    ) -> LayerChart:
        return heatmap_chart(
            self.frame,
            self.metric,
            options=self.options,
            selected=selected,
            expert=expert,
            palette=palette,
        )


def _picture(
    comparison: Comparison,
    state: DiffState,
    changes: ChangeTable,
    metric: Metric,
    options: HeatmapOptions,
) -> _Picture:
    """The picture of a result, kept; of what is measured so far, made anew."""
    if state.result is not None:
        return _kept_picture(state.result.key, metric.key, options, comparison, changes, metric)
    cells = _gathered(comparison, changes, options.experts)
    return _Picture(cells_frame(cells, metric), metric, options)


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept_picture(
    key: str,
    metric_key: str,
    options: HeatmapOptions,
    _comparison: Comparison,
    _changes: ChangeTable,
    _metric: Metric,
) -> _Picture:
    """Shared and not copied: nothing changes a picture once it is drawn."""
    del metric_key
    cells = _kept_cells(key, options.experts, _comparison, _changes)
    return _Picture(cells_frame(cells, _metric), _metric, options)


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
