"""The sidebar of every page: which two checkpoints, on which device, and how far the diff is."""

from __future__ import annotations

from typing import Any

import streamlit as st

from modeldiff.changes import available_devices
from modeldiff.ui.controls.diff_progress import begin_run, diff_line, follow
from modeldiff.ui.session.presets import PRESETS, PairPreset, preset_of
from modeldiff.ui.session.selected_pair import BASE, DEFAULT, DEVICE, LAYERS, TARGET, leave_for_page

_PRESET = "preset"
_LAYERS = {"auto": "By content", "position": "By position"}
_REFERENCE: dict[str, Any] = {
    "bind": "query-params",
    "max_chars": 1000,
    "help": "A folder, a `.safetensors` file, `owner/name` or `owner/name@revision` on the Hugging "
    "Face Hub, or `demo:name`.",
}


def sidebar() -> None:
    """Draw the choosers, open what they say, start a small diff by itself, and follow it."""
    with st.sidebar:
        _choose_pair()
        st.selectbox(
            "Device",
            ("auto", *available_devices()),
            key=DEVICE,
            bind="query-params",
            help="Where to measure. A result is the same whichever it was, and is kept.",
        )
        st.selectbox(
            "Layers",
            list(_LAYERS),
            key=LAYERS,
            bind="query-params",
            format_func=lambda way: _LAYERS[way],
            help="By content: where depths differ, or a layer has nothing in common with the one "
            "of its number, those layers are compared that hold the same content. By position: "
            "always number against number.",
        )
        chosen = begin_run()
        leave_for_page(chosen)
        comparison = chosen.comparison
        if comparison is None:
            st.caption(":material/radio_button_unchecked: Two readable checkpoints make a diff")
        elif not comparison.has_weights:
            st.caption(":material/radio_button_unchecked: A config has no weights to measure")
        else:
            follow(comparison, diff_line)


def _choose_pair() -> None:
    presets = st.container()
    base = st.text_input("Base", DEFAULT.base, key=BASE, **_REFERENCE)
    target = st.text_input("Target", DEFAULT.target, key=TARGET, **_REFERENCE)
    st.button("Swap", key="swap", icon=":material/swap_vert:", on_click=_swap, width="stretch")
    # Shown is what the two inputs say, whoever filled them: a link, a preset or a hand.
    st.session_state[_PRESET] = preset_of(base, target)
    presets.selectbox(
        "Pair",
        PRESETS,
        index=None,
        key=_PRESET,
        format_func=lambda preset: preset.label,
        placeholder="A pair of your own",
        on_change=_take_preset,
    )


def _take_preset() -> None:
    preset: PairPreset | None = st.session_state[_PRESET]
    if preset is not None:
        st.session_state[BASE], st.session_state[TARGET] = preset.base, preset.target


def _swap() -> None:
    state = st.session_state
    state[BASE], state[TARGET] = state[TARGET], state[BASE]
