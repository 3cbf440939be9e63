"""The heatmap with its choosers, the reading over it, and beside it what is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from modeldiff.changes import Change
from modeldiff.drawings import (
    LIGHT,
    HeatmapOptions,
    Metric,
    cells_frame,
    gather_cells,
    heatmap_alt,
    heatmap_chart,
    heatmap_says,
)
from modeldiff.drawings.files import chart_to_svg
from modeldiff.drawings.heatmap_cells import GatheredCell
from modeldiff.ui.cell_panel import cell_panel
from modeldiff.ui.chart_clicks import chart_key, clicked
from modeldiff.ui.choosers import choose_metric
from modeldiff.ui.diffing import DiffState, changes_so_far, measured
from modeldiff.ui.downloads import drawing_downloads, provenance
from modeldiff.ui.heatmap_choices import choose_picture, choose_scale_sharing, chosen_options
from modeldiff.ui.opening import Comparison
from modeldiff.ui.places import ChosenCell, chosen_cell
from modeldiff.ui.plain_reading import short_reading
from modeldiff.ui.view import View, change_view, current_view

if TYPE_CHECKING:
    import pandas as pd

_CHART, _SELECTION = "heatmap_chart", "cell"
_WIDE = 40
"""With more columns than this, the picture takes the page's whole width."""


def heatmap_view(comparison: Comparison, state: DiffState) -> None:
    """Draw reading, choosers, chart and panel. What is not measured yet stays grey."""
    view = current_view("heatmap")
    if state.result is not None:
        short_reading(state.result)
    changes = changes_so_far(comparison, state)
    experts = _columns_with_experts(changes)
    options = chosen_options(experts)
    expert = view.expert if options.experts and options.experts == view.component else None
    chosen = chosen_cell(changes, view.layer, view.component, expert)
    metric = _choosers(view, options, experts)
    frame = _frame(comparison, state, metric, options.experts)
    if _columns(frame, options) > _WIDE:
        chart_side, panel_side = st.container(), st.container()
    else:
        chart_side, panel_side = st.columns([3, 2], gap="medium")
    with chart_side:
        _chart(comparison, state, frame, metric, options, chosen)
    with panel_side, st.container(border=True, key="place_panel"):
        cell_panel(comparison, state, changes, chosen)


def _choosers(view: View, options: HeatmapOptions, experts: dict[str, int]) -> Metric:
    of_metric, of_scale, of_picture = st.columns([3, 3, 1.4], vertical_alignment="bottom")
    with of_metric:
        metric = choose_metric(view)
    with of_scale:
        choose_scale_sharing(options)
    with of_picture:
        choose_picture(options, experts)
    return metric


def _chart(
    comparison: Comparison,
    state: DiffState,
    frame: pd.DataFrame,
    metric: Metric,
    options: HeatmapOptions,
    chosen: ChosenCell | None,
) -> None:
    selected = None if chosen is None else (chosen.layer, chosen.column)
    expert = None if chosen is None else chosen.expert
    datum = None if chosen is None else vars(chosen)
    key = chart_key(_CHART, _SELECTION, datum)
    with st.container(key="heatmap"):
        st.altair_chart(
            heatmap_chart(frame, metric, options=options, selected=selected, expert=expert),
            key=key,
            on_select=lambda: _choose(key),
            selection_mode=_SELECTION,
            alt=heatmap_alt(frame, metric),
        )
    st.caption(f"{metric.description} {heatmap_says(frame, metric, options)}")
    drawing_downloads(
        "modeldiff-heatmap",
        lambda: chart_to_svg(
            heatmap_chart(
                frame, metric, options=options, selected=selected, expert=expert, palette=LIGHT
            ),
            title=f"{comparison.base.text} → {comparison.target.text}",
            caption=provenance(comparison, state),
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


def _columns_with_experts(changes: Sequence[Change]) -> dict[str, int]:
    places = (change.pair.place for change in changes)
    return dict(Counter(p.column for p in places if p.expert is not None and p.layer is not None))


def _columns(frame: pd.DataFrame, options: HeatmapOptions) -> int:
    return int((frame["region"] == ("layer" if options.across else "column")).sum())


def _frame(comparison: Comparison, state: DiffState, metric: Metric, experts: str) -> pd.DataFrame:
    """The frame of a result, kept; of what is measured so far, made anew."""
    if state.result is not None:
        return _kept_frame(state.result.key, metric.key, experts, comparison, state, metric)
    return cells_frame(_gathered(comparison, state, experts), metric)


@st.cache_resource(max_entries=64, show_spinner=False)
def _kept_frame(
    key: str,
    metric_key: str,
    experts: str,
    _comparison: Comparison,
    _state: DiffState,
    _metric: Metric,
) -> pd.DataFrame:
    """Shared and not copied: drawings leave a frame as it is."""
    del metric_key
    return cells_frame(_kept_cells(key, experts, _comparison, _state), _metric)


@st.cache_resource(max_entries=16, show_spinner=False)
def _kept_cells(
    key: str, experts: str, _comparison: Comparison, _state: DiffState
) -> tuple[GatheredCell, ...]:
    del key
    return _gathered(_comparison, _state, experts)


def _gathered(comparison: Comparison, state: DiffState, experts: str) -> tuple[GatheredCell, ...]:
    base, target = comparison.base.architecture, comparison.target.architecture
    return gather_cells(measured(state), base, target, experts=experts)
