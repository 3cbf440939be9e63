"""The choosers that pages share. What they choose goes to the URL, see ``view``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from modeldiff.changes import Cell, ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import METRICS, Metric
from modeldiff.drawings.heatmap.cells import MOST_CELLS
from modeldiff.model import Model
from modeldiff.ui.session.layer_playback import beat, start_play, stop_play
from modeldiff.ui.session.url_state import View, change_view

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
        help=view.metric.description,
        # A ceiling that was fixed is a number of the metric before.
        on_change=lambda: change_view(metric=st.session_state[_METRIC].key, top=None),
    )
    return view.metric


def choose_layer(view: View, layers: int) -> int | None:
    """Which of ``layers`` layers is drawn, or None for all of them together.

    One by one, along a slider, or played through; ``view`` is what ``layer_player.played`` says.
    """
    options: list[int | None] = [None, *range(layers)]
    layer = view.layer if view.layer in options else None
    st.session_state[_LAYER] = layer
    st.select_slider(
        "Layer",
        options,
        key=_LAYER,
        format_func=lambda option: "all" if option is None else str(option),
        on_change=lambda: change_view(layer=st.session_state[_LAYER]),
        width="stretch",
    )
    with st.container(horizontal=True, width="content", key="layer_buttons"):
        st.button(
            "All layers",
            key="all_layers",
            disabled=layer is None,
            on_click=change_view,
            kwargs={"layer": None},
        )
        _step_button("Previous", options, options.index(layer) - 1)
        # One button with two faces, so that the keyboard's focus stays on it.
        playing = beat() is not None
        st.button(
            "Pause" if playing else "Play",
            key="play_layers",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            help="Layer by layer, to the last",
            disabled=layers < 2,
            on_click=stop_play if playing else start_play,
            args=() if playing else (replace(view, layer=layer), layers),
        )
        _step_button("Next", options, options.index(layer) + 1)
    return layer


def _step_button(label: str, options: Sequence[int | None], place: int) -> None:
    possible = 0 <= place < len(options)
    st.button(
        label,
        key=f"{label.lower()}_layer",
        help=f"{label} layer",
        disabled=not possible,
        on_click=change_view,
        kwargs={"layer": options[place] if possible else None},
    )


def choose_cell(cell: Cell | None) -> None:
    """Carry a chosen cell to the URL. For callbacks."""
    layer, column = cell or (None, None)
    change_view(layer=layer, component=column, expert=None)


def choose_from_list(changes: ChangeTable, cell: Cell | None) -> None:
    """The table's cells as a list to type into: the heatmap for those without a mouse. Of more
    than a picture may have it has the first, and the chosen one."""
    there = cell is not None and bool(changes.cell(*cell))
    cells = changes.cells[:MOST_CELLS]
    if there and cell is not None and cell not in cells:
        cells = (*cells, cell)
    st.session_state[_CELL] = cell if there else None
    left_out = len(changes.cells) - len(cells)
    st.selectbox(
        "Cell",
        cells,
        help=f"{left_out:,} more are not in this list; the result's downloads have all of them."
        if left_out
        else None,
        index=None,
        key=_CELL,
        format_func=lambda cell: cell_name(cell, changes),
        placeholder="Click one, or choose here",
        on_change=lambda: choose_cell(st.session_state[_CELL]),
    )


def cell_name(cell: Cell, changes: ChangeTable) -> str:
    """A cell in words: ``layer 3 · self_attn.v_proj``."""
    layer, column = cell
    return column if layer is None else f"layer {changes.layer_label(layer)} · {column}"


def choose_side(view: View, comparison: Comparison) -> Model:
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
