"""The choosers that pages share. What they choose goes to the URL, see ``view``."""

from __future__ import annotations

import streamlit as st

from modeldiff.drawings import METRICS, Metric
from modeldiff.ui.opening import Comparison, Opened
from modeldiff.ui.view import View, change_view

_METRIC = "metric_chooser"
_LAYER = "layer_chooser"
_SIDE = "side_chooser"


def choose_metric(view: View) -> Metric:
    """Which statistic is drawn."""
    st.session_state[_METRIC] = view.metric
    st.selectbox(
        "Metric",
        METRICS,
        key=_METRIC,
        format_func=lambda metric: metric.label,
        on_change=lambda: change_view(metric=st.session_state[_METRIC].key),
    )
    return view.metric


def choose_layer(view: View, layers: int) -> int | None:
    """Which of ``layers`` layers is drawn, or None for all of them together."""
    options: list[int | None] = [None, *range(layers)]
    layer = view.layer if view.layer in options else None
    st.session_state[_LAYER] = layer
    slider, steps = st.columns([5, 3], vertical_alignment="bottom")
    slider.select_slider(
        "Layer",
        options,
        key=_LAYER,
        format_func=lambda option: "all" if option is None else str(option),
        on_change=lambda: change_view(layer=st.session_state[_LAYER]),
    )
    with steps, st.container(horizontal=True, horizontal_alignment="right"):
        for label, step in (("Previous", -1), ("Next", 1)):
            place = options.index(layer) + step
            possible = 0 <= place < len(options)
            st.button(
                label,
                key=f"{label.lower()}_layer",
                help=f"{label} layer",
                disabled=not possible,
                on_click=change_view,
                kwargs={"layer": options[place] if possible else None},
            )
    return layer


def choose_side(view: View, comparison: Comparison) -> Opened:
    """Whose layers are drawn; asked only where the two are not built alike."""
    base, target = comparison.base, comparison.target
    if base.architecture.layer_kinds == target.architecture.layer_kinds:
        return base
    st.session_state[_SIDE] = view.side
    st.segmented_control(
        "Drawn as",
        ("base", "target"),
        key=_SIDE,
        required=True,
        format_func=str.capitalize,
        on_change=lambda: change_view(side=st.session_state[_SIDE]),
    )
    return target if view.side == "target" else base
