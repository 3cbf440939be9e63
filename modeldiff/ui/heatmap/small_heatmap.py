"""The heatmap as the first screen shows it: whole, small, layers across; a click leads to it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings import Heatmap, gather_cells
from modeldiff.drawings.heatmap.options import GLANCE, PHONE
from modeldiff.findings.selection import ChosenCell
from modeldiff.ui.heatmap.pictures import Picture
from modeldiff.ui.session.url_state import chosen_metric, link_query
from modeldiff.ui.widgets.clickable_heatmap import clickable_heatmap

_SIZES = {"phone": PHONE, "small": GLANCE}
_KEY, _WANTED = "small_heatmap", "wanted_cell"
_HINT = "Point at a cell to read it; click to open it in the heatmap."
_HINT_ALONE = "Point at a cell to read it."


def small_heatmap(
    changes: ChangeTable,
    architectures: Sequence[Architecture] = (),
    *,
    title: str = "",
    linked: bool = True,
) -> None:
    """Draw the picture of a change table, finished or not. ``architectures`` are base's and
    target's, by which columns are grouped; ``title`` stands over it on a full screen; ``linked``: a
    click opens the heatmap's page there."""
    wanted: ChosenCell | None = st.session_state.pop(_WANTED, None)
    if wanted is not None:
        query = link_query(layer=wanted.layer, component=wanted.column or None)
        st.switch_page("pages/heatmap.py", query_params=query)
    picture = Picture(Heatmap.of_cells(gather_cells(changes, *architectures), chosen_metric()))
    with st.container(key=_KEY):
        clickable_heatmap(
            picture.drawn(_SIZES),
            picture.cells,
            title=title,
            hint=_HINT if linked else _HINT_ALONE,
            selected=None,
            on_choose=_choose if linked else _ignore,
        )


def _choose(cell: ChosenCell | None) -> None:
    st.session_state[_WANTED] = cell


def _ignore(_: ChosenCell | None) -> None:
    """There is nowhere to go."""
