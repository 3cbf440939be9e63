"""What is chosen of the heatmap's picture: its scale in sight, the rest behind a button.

All of it stands in the URL, where what says nothing means the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from modeldiff.drawings import HeatmapOptions
from modeldiff.drawings.heatmap.options import Sharing
from modeldiff.ui.session.url_state import change_view
from modeldiff.ui.widgets.markdown import plain

_SCALES: Mapping[str, str] = {
    "auto": "Automatic",
    "one": "One for all cells",
    "kind": "Matrices, norms, vectors apart",
    "group": "Attention, MLP, norms … apart",
    "component": "One a component",
}
_SWITCHES: Mapping[str, tuple[str, tuple[str, str], str]] = {
    "log": ("Colours", ("Linear", "Logarithmic"), "Logarithmic colours show ratios."),
    "across": ("Layers", ("Down", "Across"), "Across, a deep model fits a wide screen."),
    "order": ("Components", ("As data passes", "Most changed first"), "By each one's own number."),
}
"""Names in the URL, with a label, the choice without it and the choice with it, and a help."""
_MOST_EXPERTS = 8_000
"""Cells that a picture of experts may have: more could not be told apart."""


def chosen_options(columns: Mapping[str, int]) -> HeatmapOptions:
    """The options that the URL says. ``columns`` are those with experts, with their cells."""
    parameters = st.query_params
    scale = parameters.get("scale", "auto")
    experts = parameters.get("experts", "")
    return HeatmapOptions(
        scale=scale if scale in get_args(Sharing) else "auto",  # type: ignore[arg-type]
        log=parameters.get("log") == "1",
        across=parameters.get("across") == "1",
        by_change=parameters.get("order") == "1",
        experts=experts if 0 < columns.get(experts, 0) <= _MOST_EXPERTS else "",
    )


def choose_scale_sharing(options: HeatmapOptions) -> None:
    """Which cells share a scale."""
    _keep("scale_chooser", options.scale)
    st.selectbox(
        "Scale",
        list(_SCALES),
        key="scale_chooser",
        format_func=lambda name: _SCALES[name],
        help="Which cells share a colour scale. Automatic takes one for all, unless norms would "
        "look unchanged beside the matrices.",
        on_change=lambda: _say("scale", st.session_state["scale_chooser"], "auto"),
    )


def choose_picture(options: HeatmapOptions, columns: Mapping[str, int]) -> None:
    """The rest of the choices."""
    chosen = {"log": options.log, "across": options.across, "order": options.by_change}
    with st.popover("Picture", icon=":material/tune:", key="picture", width="stretch"):
        for name, (label, (without, with_it), says) in _SWITCHES.items():
            _switch(name, label, (without, with_it), says, on=chosen[name])
        drawable = [column for column, cells in columns.items() if cells <= _MOST_EXPERTS]
        if drawable:
            _choose_experts(options, drawable)


def _choose_experts(options: HeatmapOptions, columns: Sequence[str]) -> None:
    _keep("experts_chooser", options.experts)
    st.selectbox(
        "Experts",
        ["", *columns],
        key="experts_chooser",
        format_func=lambda column: column or "All of a matrix in one cell",
        help="Or one matrix, layers by experts.",
        on_change=lambda: change_view(
            experts=st.session_state["experts_chooser"] or None,
            expert=None,
            layer=None,
            component=None,
        ),
    )


def _switch(name: str, label: str, choices: tuple[str, str], says: str, *, on: bool) -> None:
    key = f"{name}_switch"
    _keep(key, choices[on])
    st.segmented_control(
        label,
        choices,
        key=key,
        required=True,
        help=plain(says),
        on_change=lambda: change_view(**{name: 1 if st.session_state[key] == choices[1] else None}),
    )


def _keep(key: str, value: Any) -> None:
    """Show in a widget what the URL says, whoever wrote it."""
    st.session_state[key] = value


def _say(name: str, value: str, default: str) -> None:
    change_view(**{name: None if value == default else value})
