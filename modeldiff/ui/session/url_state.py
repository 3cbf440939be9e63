"""What the pages look at together: the metric, and the chosen layer and component.

All of it stands in the URL, so that a link opens what its sender saw, beside the pair (see
``selected_pair``). Links to other pages carry the whole query along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from modeldiff.drawings import METRICS, Metric, metric_named
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.session.shown_page import is_page_left

_PAGE = "view_page"
PLAY = "play"
"""Where in the session a play through the layers is kept. Choosing a layer or a page ends it."""


@dataclass(frozen=True)
class View:
    """The metric, and the chosen place as far as one is chosen.

    ``layer`` None with a ``component`` is a place outside the layers, such as the embedding.
    ``component`` is a heatmap column or a component; it comes from the URL and may name nothing in
    this pair. ``side`` is whose layers the diagram draws where the two are built differently.
    ``rows`` is what the layer table shows if not a layer, ``steps`` the line of models whose
    lineage is told; both as the URL has them, empty where it says nothing. ``expert`` is one of a
    cell's experts.
    """

    metric: Metric
    layer: int | None
    component: str | None
    side: Literal["base", "target"] = "base"
    rows: str = ""
    steps: str = ""
    expert: int | None = None


def current_view(page: str) -> View:
    """The view that the URL says, on this page."""
    parameters = st.query_params
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state.pop(PLAY, None)
    return View(
        chosen_metric(),
        _layer(parameters.get("layer")),
        parameters.get("component"),
        "target" if parameters.get("side") == "target" else "base",
        parameters.get("rows", ""),
        parameters.get("steps", ""),
        _layer(parameters.get("expert")),
    )


def chosen_metric() -> Metric:
    """The metric of the current view, for what is drawn within it."""
    return metric_named(st.query_params.get("metric", "")) or METRICS[0]


def change_view(**changes: str | int | None) -> None:
    """Set or (with None) remove parts of the view. For callbacks: the script then runs anew. Those
    of a page that was left change nothing: the address is another page's by now."""
    if is_page_left():
        return
    if "layer" in changes:
        st.session_state.pop(PLAY, None)
    # In one update, so that the browser's history has no place in between; an empty list is the
    # way to remove a part within it.
    st.query_params.update(
        {name: [] if value is None else str(value) for name, value in changes.items()}
    )


def link_query(
    kept: Mapping[str, str] | None = None, /, **changes: str | int | None
) -> dict[str, str]:
    """The query of a link to another page that keeps the pair and the view (or what is ``kept`` in
    their place), with changes."""
    before = st.query_params.to_dict() if kept is None else kept
    query: dict[str, str | int | None] = {**before, **changes}
    return {name: str(value) for name, value in query.items() if value not in (None, "")}


def _layer(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 5:
        return None
    return int(text)
