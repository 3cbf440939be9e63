"""The heatmap with its choosers, the narrative over it, and beside it what is chosen."""

from __future__ import annotations

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import Heatmap, HeatmapOptions, Metric
from modeldiff.drawings.heatmap.svg.figure import TEXT_PX, heatmap_caption, heatmap_figure
from modeldiff.findings.selection import ChosenCell
from modeldiff.text.file_names import pair_slug
from modeldiff.ui.controls.choosers import choose_from_list, choose_metric
from modeldiff.ui.controls.diff_progress import (
    DiffState,
    changes_so_far,
    follow,
    redraw_around,
)
from modeldiff.ui.controls.downloads import provenance
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.controls.follow_job import SECONDS_BETWEEN_PICTURES
from modeldiff.ui.heatmap.cell_choice import cell_in_view, keep_cell
from modeldiff.ui.heatmap.cell_panel import cell_panel
from modeldiff.ui.heatmap.heatmap_options import (
    Way,
    choose_picture,
    choose_scale_sharing,
    chosen_options,
    chosen_way,
    step_ceiling,
)
from modeldiff.ui.heatmap.layer_matching import offer_other_matching
from modeldiff.ui.heatmap.pictures import Picture, picture_of
from modeldiff.ui.session.url_state import View, current_view
from modeldiff.ui.summary.narrative_panel import narrative_in_short
from modeldiff.ui.widgets.clickable_heatmap import clickable_heatmap

_PANEL = 400
"""The width in pixels of the panel beside the picture."""
_HINT = "Point at a cell to read it; click for details. Keys: Tab, arrows, n, + and −."


def heatmap_view(comparison: Comparison) -> None:
    """Draw narrative, choosers, picture and panel. What is not measured yet stays empty.

    While a diff runs, picture and panel are drawn again in time, and the choosers, which cost as
    much, only when something is chosen.
    """
    follow(comparison, lambda state: _with_choosers(comparison, state), every=None)


def _with_choosers(comparison: Comparison, state: DiffState) -> None:
    view = current_view("heatmap")
    if state.result is not None:
        narrative_in_short(state.result)
    changes = changes_so_far(comparison, state)
    experts = changes.experts
    options, way = chosen_options(experts), chosen_way()
    chosen = cell_in_view(view, options, changes)
    metric = _choosers(view, options, changes, chosen, way, comparison, state)

    def draw(state: DiffState) -> None:
        changes = changes_so_far(comparison, state)
        picture = picture_of(comparison, state, changes, metric, options)
        # The picture has the whole width until something is chosen, which then stands beside it. It
        # stays in its place, so that it is not drawn anew and keeps the keyboard's focus.
        with st.container(horizontal=True, gap="medium", key="heatmap_row"):
            with st.container(width="stretch", key="heatmap_side"):
                _draw(comparison, changes, picture, chosen, way)
            if chosen is not None:
                with st.container(border=True, width=_PANEL, key="place_panel"):
                    cell_panel(comparison, changes, chosen)

    follow(comparison, draw, every=SECONDS_BETWEEN_PICTURES, state=state)


def _choosers(
    view: View,
    options: HeatmapOptions,
    changes: ChangeTable,
    chosen: ChosenCell | None,
    way: Way,
    comparison: Comparison,
    state: DiffState,
) -> Metric:
    of_metric, of_scale, of_cell, of_picture, of_file = st.columns(
        [3, 3, 2.6, 1.6, 1.3], vertical_alignment="bottom"
    )
    with of_metric:
        metric = choose_metric(view)
    with of_scale:
        choose_scale_sharing(options)
    with of_cell:
        choose_from_list(changes, None if chosen is None else (chosen.layer, chosen.column))
    with of_picture:
        choose_picture(options, changes.experts, metric, way)
    with of_file:
        picture = picture_of(comparison, state, changes, metric, options)
        _save(comparison, state, picture, chosen, way)
    return metric


def _save(
    comparison: Comparison,
    state: DiffState,
    picture: Picture,
    chosen: ChosenCell | None,
    way: Way,
) -> None:
    """The picture as a file; while a diff runs there is none yet that stays."""
    if state.active:
        st.button(
            "Save",
            icon=":material/download:",
            key="save_later",
            disabled=True,
            width="stretch",
            help="When all is measured, or the diff is stopped.",
        )
        return
    heatmap = picture.heatmap
    figure_downloads(
        f"{pair_slug(comparison.names)}-heatmap",
        lambda width, palette: heatmap_figure(
            heatmap,
            width,
            palette,
            across=None if not way else way == "1",
            selected=None if chosen is None else picture.position(chosen),
        ),
        text_px=TEXT_PX,
        caption=heatmap_caption(heatmap, comparison.names),
        origin=provenance(comparison, state),
        folded=True,
    )


def _draw(
    comparison: Comparison,
    changes: ChangeTable,
    picture: Picture,
    chosen: ChosenCell | None,
    way: Way,
) -> None:
    heatmap = picture.heatmap
    selected = None if chosen is None else picture.position(chosen)
    with st.container(key="heatmap"):
        clickable_heatmap(
            picture.drawings(way),
            picture.cells,
            title=comparison.names_text,
            hint=_HINT,
            selected=selected,
            on_choose=_keep,
            on_ceiling=lambda at, step: _step(heatmap, at, step),
        )
    offer_other_matching(comparison, changes)
    st.caption(f"{heatmap.metric.description} {heatmap.guide}")


def _keep(cell: ChosenCell | None) -> None:
    keep_cell(cell)
    redraw_around()


def _step(heatmap: Heatmap, at: int, step: int) -> None:
    step_ceiling(heatmap, at, step)
    redraw_around()
