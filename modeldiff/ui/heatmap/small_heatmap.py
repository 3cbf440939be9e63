"""The heatmap as the first screen shows it: whole, small, layers across; a click leads to the page
of the heatmap, or chooses a cell here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings import Heatmap, gather_cells
from modeldiff.drawings.heatmap.options import GLANCE, PHONE
from modeldiff.findings.selection import ChosenCell
from modeldiff.ui.heatmap.pictures import Picture
from modeldiff.ui.session.url_state import chosen_metric
from modeldiff.ui.widgets.clickable_heatmap import clickable_heatmap

_SIZES = {"phone": PHONE, "small": GLANCE}
_HINT = "Point at a cell to read it; click to open it in the heatmap."
_HINT_HERE = "Point at a cell to read it; click for its numbers."


def small_heatmap(
    changes: ChangeTable,
    architectures: Sequence[Architecture] = (),
    *,
    title: str = "",
    chosen: ChosenCell | None = None,
    on_choose: Callable[[ChosenCell | None], None] | None = None,
) -> None:
    """Draw the picture of a change table, finished or not.

    Args:
        changes: what is drawn.
        architectures: base's and target's, by which columns are grouped.
        title: stands over it on a full screen.
        chosen: the cell that is outlined.
        on_choose: a callback for a cell that is clicked, or None for leaving it; without it a click
            opens the page of the heatmap there.
    """
    picture = Picture(Heatmap.of_cells(gather_cells(changes, *architectures), chosen_metric()))
    with st.container(key="small_heatmap"):
        clickable_heatmap(
            picture.drawn(_SIZES),
            picture.cells,
            title=title,
            hint=_HINT if on_choose is None else _HINT_HERE,
            selected=None if chosen is None else picture.position(chosen),
            on_choose=on_choose or _nowhere,
            leads_to="" if on_choose is not None else "heatmap",
        )
        if picture.heatmap.left_out:
            st.caption(picture.heatmap.not_drawn)


def _nowhere(_: ChosenCell | None) -> None:
    """The browser goes where a cell leads."""
