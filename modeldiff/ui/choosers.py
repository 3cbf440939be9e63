"""The choosers that pages share. What they choose goes to the URL, see ``view``."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.changes import Change
from modeldiff.drawings import METRICS, Metric
from modeldiff.ui.opening import Comparison, Opened
from modeldiff.ui.places import Cell
from modeldiff.ui.view import View, change_view

_METRIC = "metric_chooser"
_LAYER = "layer_chooser"
_SIDE = "side_chooser"
_CELL = "cell_chooser"


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


def choose_cell(cell: Cell | None) -> None:
    """Carry a chosen cell to the URL. For callbacks."""
    layer, column = cell or (None, None)
    change_view(layer=layer, component=column)


def choose_from_list(changes: Sequence[Change], cell: Cell | None) -> None:
    """The cells of these rows as a list to type into: the heatmap for those without a mouse."""
    cells = list(dict.fromkeys((c.pair.place.layer, c.pair.place.column) for c in changes))
    st.session_state[_CELL] = cell if cell in cells else None
    st.selectbox(
        "Cell",
        cells,
        index=None,
        key=_CELL,
        format_func=cell_name,
        placeholder="Click one, or choose here",
        on_change=lambda: choose_cell(st.session_state[_CELL]),
    )


def cell_name(cell: Cell) -> str:
    """A cell in words: ``layer 3 · self_attn.v_proj``."""
    layer, column = cell
    return column if layer is None else f"layer {layer} · {column}"


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
