"""What the pages look at together: the metric, and the chosen layer and component.

All three stand in the URL, so that a link opens what its sender saw, and in the session, so that
they come along when the page is changed (Streamlit then drops what it does not know from the URL).
Base, target and device are in the URL too: the sidebar's widgets are bound to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from modeldiff.drawings import METRICS, Metric, metric_named

_NAMES = ("metric", "layer", "component", "side")
_KEPT = "view"
_PAGE = "view_page"


@dataclass(frozen=True)
class View:
    """The metric, and the chosen place as far as one is chosen.

    ``layer`` None with a ``component`` is a place outside the layers, such as the embedding.
    ``component`` is a heatmap column or a component; it comes from the URL and may name nothing in
    this pair. ``side`` is whose layers the diagram draws where the two are built differently.
    """

    metric: Metric
    layer: int | None
    component: str | None
    side: Literal["base", "target"] = "base"


def current_view(page: str) -> View:
    """The view of this page: from the URL, or brought along from the page before."""
    kept = st.session_state.setdefault(_KEPT, {})
    arrived = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page
    for name in _NAMES:
        if name in st.query_params:
            kept[name] = st.query_params[name]
        elif arrived and name in kept:
            st.query_params[name] = kept[name]
        else:
            kept.pop(name, None)
    return View(
        metric_named(kept.get("metric", "")) or METRICS[0],
        _layer(kept.get("layer")),
        kept.get("component") or None,
        "target" if kept.get("side") == "target" else "base",
    )


def change_view(**changes: str | int | None) -> None:
    """Set or (with None) remove parts of the view. For callbacks: the script then runs anew."""
    kept = st.session_state.setdefault(_KEPT, {})
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
            st.query_params.pop(name, None)
        else:
            kept[name] = str(value)
            st.query_params[name] = str(value)


def link_query(**changes: str | int | None) -> dict[str, str]:
    """The query of a link to another page that keeps the pair and the view, with changes."""
    query = {**st.query_params.to_dict()}
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return query


def _layer(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 5:
        return None
    return int(text)
