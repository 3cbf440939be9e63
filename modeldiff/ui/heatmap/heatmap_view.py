"""The heatmap with its choosers, the narrative over it, and beside it what is chosen."""

from __future__ import annotations

from textwrap import wrap

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import LIGHT, Heatmap, HeatmapOptions, Metric, heatmap_svg
from modeldiff.drawings.heatmap.options import SCREEN, TALL
from modeldiff.findings.selection import ChosenCell, chosen_cell
from modeldiff.ui.controls.choosers import choose_from_list, choose_metric
from modeldiff.ui.controls.diff_progress import (
    DiffState,
    changes_so_far,
    follow,
    redraw_around,
)
from modeldiff.ui.controls.downloads import drawing_downloads, provenance
from modeldiff.ui.controls.follow_job import SECONDS_BETWEEN_PICTURES
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
from modeldiff.ui.session.url_state import View, change_view, current_view
from modeldiff.ui.summary.narrative_panel import narrative_in_short
from modeldiff.ui.widgets.clickable_heatmap import clickable_heatmap

_CAPTION = 150
"""Letters in a line of a file's caption."""
_PANEL = 400
"""The width in pixels of the panel beside the picture."""
_HINT = "Point at a cell to read it; click for its story. Keys: Tab, arrows, n, + and −."


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
    expert = view.expert if options.experts and options.experts == view.component else None
    chosen = chosen_cell(changes, view.layer, view.component, expert)
    metric = _choosers(view, options, changes, chosen, way)

    def draw(state: DiffState) -> None:
        changes = changes_so_far(comparison, state)
        picture = picture_of(comparison, state, changes, metric, options)
        # The picture has the whole width until something is chosen, which then stands beside it. It
        # stays in its place, so that it is not drawn anew and keeps the keyboard's focus.
        with st.container(horizontal=True, gap="medium", key="heatmap_row"):
            with st.container(width="stretch", key="heatmap_side"):
                _draw(comparison, state, changes, picture, chosen, way)
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
) -> Metric:
    of_metric, of_scale, of_cell, of_picture = st.columns(
        [3, 3, 3, 1.7], vertical_alignment="bottom"
    )
    with of_metric:
        metric = choose_metric(view)
    with of_scale:
        choose_scale_sharing(options)
    with of_cell:
        choose_from_list(changes, None if chosen is None else (chosen.layer, chosen.column))
    with of_picture:
        choose_picture(options, changes.experts, metric, way)
    return metric


def _draw(
    comparison: Comparison,
    state: DiffState,
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
            on_choose=_choose,
            on_ceiling=lambda at, step: _step(heatmap, at, step),
        )
    offer_other_matching(comparison, changes)
    says = f"{heatmap.metric.description} {heatmap.guide}"
    st.caption(says)
    drawing_downloads(
        "modeldiff-heatmap",
        lambda: heatmap_svg(
            heatmap,
            TALL if way == "0" else SCREEN,
            palette=LIGHT,
            selected=selected,
            title=comparison.names_text,
            caption=(*provenance(comparison, state), *wrap(says, _CAPTION)),
        ),
    )


def _choose(cell: ChosenCell | None) -> None:
    """Carry a click to the URL: a cell, a whole layer or a column over all layers; or none."""
    change_view(
        layer=None if cell is None else cell.layer,
        component=(None if cell is None else cell.column) or None,
        expert=None if cell is None else cell.expert,
    )
    redraw_around()


def _step(heatmap: Heatmap, at: int, step: int) -> None:
    step_ceiling(heatmap, at, step)
    redraw_around()
