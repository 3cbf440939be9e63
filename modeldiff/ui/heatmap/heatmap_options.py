"""What is chosen of the heatmap's picture: its scale in sight, the rest behind a button.

All of it stands in the URL, where what says nothing means the default.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import streamlit as st

from modeldiff.drawings import Heatmap, HeatmapOptions, Metric
from modeldiff.drawings.heatmap.cells import MOST_CELLS
from modeldiff.drawings.heatmap.colour_scales import MATRIX_SCALE
from modeldiff.drawings.heatmap.options import Sharing
from modeldiff.ui.session.url_state import change_view
from modeldiff.ui.widgets.markdown import plain

Way = Literal["", "0", "1"]
"""Which way the layers run: as the window is wide, always down, always across."""

_SCALES: Mapping[str, str] = {
    "kind": "Matrices apart from norms and biases",
    "one": "One for all cells",
    "group": "Attention, MLP, norms … apart",
    "component": "One a component",
}
_WAYS: Mapping[str, str] = {"": "Automatic", "1": "Across", "0": "Down"}
_SWITCHES: Mapping[str, tuple[str, tuple[str, str], str]] = {
    "log": ("Colours", ("Linear", "Logarithmic"), "Logarithmic colours show ratios."),
    "order": ("Components", ("As data passes", "Most changed first"), "By each one's own number."),
}
"""Names in the URL, with a label, the choice without it and the choice with it, and a help."""
_TOPS = ("Matrices to", "Norms and biases to")
_CEILINGS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 80.0, 141.0)
_LARGEST_TOP = 1e6


def chosen_options(columns: Mapping[str, int]) -> HeatmapOptions:
    """The options that the URL says. ``columns`` are those with experts, with their cells."""
    parameters = st.query_params
    scale = parameters.get("scale", "kind")
    experts = parameters.get("experts", "")
    return HeatmapOptions(
        scale=scale if scale in get_args(Sharing) else "kind",  # type: ignore[arg-type]
        log=parameters.get("log") == "1",
        by_change=parameters.get("order") == "1",
        experts=experts if 0 < columns.get(experts, 0) <= MOST_CELLS else "",
        tops=_tops(parameters.get("top", "")),
    )


def chosen_way() -> Way:
    """Which way the URL says that the layers run."""
    way = st.query_params.get("across", "")
    return way if way in get_args(Way) else ""  # type: ignore[return-value]


def choose_scale_sharing(options: HeatmapOptions) -> None:
    """Which cells share a scale."""
    _keep("scale_chooser", options.scale)
    st.selectbox(
        "Scale",
        list(_SCALES),
        key="scale_chooser",
        format_func=lambda name: _SCALES[name],
        help="Which cells share a colour scale. Norms and biases move far less than matrices, and "
        "have a colour of their own.",
        on_change=lambda: _say("scale", st.session_state["scale_chooser"], "kind"),
    )


def choose_picture(
    options: HeatmapOptions, columns: Mapping[str, int], metric: Metric, way: Way
) -> None:
    """The rest of the choices."""
    chosen = {"log": options.log, "order": options.by_change}
    with st.popover("Options", icon=":material/tune:", key="picture", width="stretch"):
        _choose_way(way)
        for name, (label, (without, with_it), says) in _SWITCHES.items():
            _switch(name, label, (without, with_it), says, on=chosen[name])
        if metric.rises and metric.unit and options.scale in ("kind", "one"):
            _choose_tops(options)
        drawable = [column for column, cells in columns.items() if cells <= MOST_CELLS]
        if drawable:
            _choose_experts(options, drawable)


def _choose_way(way: Way) -> None:
    _keep("across_switch", _WAYS[way])
    st.segmented_control(
        "Layers",
        list(_WAYS.values()),
        key="across_switch",
        required=True,
        help="Across on wide windows, down on narrow ones, unless you choose.",
        on_change=lambda: change_view(
            across=next(
                (way or None for way, name in _WAYS.items() if name == _state("across_switch")),
                None,
            )
        ),
    )


def _choose_tops(options: HeatmapOptions) -> None:
    """Where the scales end."""
    shown = _TOPS if options.scale == "kind" else ("All cells to",)
    for number, (label, top) in enumerate(zip(shown, options.tops, strict=False)):
        key = f"top_{number}"
        _keep(key, top)
        # Another pair's link may say what is not on the list.
        ceilings = sorted({*_CEILINGS, *([top] if top is not None else [])})
        st.selectbox(
            label,
            [None, *ceilings],
            key=key,
            format_func=lambda top: "Automatic" if top is None else f"{top:g} %",
            help="Fix where the scale ends, to see two pairs in the same colours. It is in the "
            "link.",
            on_change=_say_tops,
            args=(options.tops, number, key),
        )


def _say_tops(tops: tuple[float | None, float | None], number: int, key: str) -> None:
    _say_top(tops, number, _state(key))


def _say_top(tops: tuple[float | None, float | None], number: int, chosen: float | None) -> None:
    said = list(tops)
    said[number] = chosen
    words = ",".join("" if top is None else f"{top:g}" for top in said)
    change_view(top=words.rstrip(",") or None)


def _tops(text: str) -> tuple[float | None, float | None]:
    """Where the scales of matrices and of norms end, as ``50,2`` says; either may be left out."""
    parts = [*text[:40].split(","), ""][:2]
    matrices, norms = (_top(part) for part in parts)
    return matrices, norms


def _top(text: str) -> float | None:
    try:
        top = float(text)
    except ValueError:
        return None
    return top if math.isfinite(top) and 0.001 <= top <= _LARGEST_TOP else None


def step_ceiling(heatmap: Heatmap, at: int | None, step: int) -> None:
    """Let the scale of the reading at ``at`` (None: that of the matrices) end ``step`` steps
    higher, or lower. For callbacks."""
    options, metric, scales = heatmap.options, heatmap.metric, heatmap.scales
    if not (metric.rises and metric.unit and options.scale in ("kind", "one")):
        return
    name = scales.names[at] if at is not None and at < len(scales.names) else MATRIX_SCALE
    scale = scales.scales.get(name) or next(iter(scales.scales.values()))
    number = int(name in scales.second)
    place = (bisect_right if step > 0 else bisect_left)(_CEILINGS, scale.top)
    there = place + step - (step > 0)
    _say_top(options.tops, number, _CEILINGS[min(max(there, 0), len(_CEILINGS) - 1)])


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


def _state(key: str) -> Any:
    return st.session_state[key]


def _keep(key: str, value: Any) -> None:
    """Show in a widget what the URL says, whoever wrote it."""
    st.session_state[key] = value


def _say(name: str, value: str, default: str) -> None:
    change_view(**{name: None if value == default else value})
