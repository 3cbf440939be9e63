"""The pair that is chosen in the sidebar: opened there, once a run, and handed to the page."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.ui.session.opening import Side, compare_sides, open_side
from modeldiff.ui.session.presets import PRESETS

BASE, TARGET, DEVICE, LAYERS = "base", "target", "device", "layers"
"""Keys of the sidebar's widgets, and so their names in the URL."""

DEFAULT = PRESETS[0]
_CHOSEN = "chosen_pair"


@dataclass(frozen=True)
class ChosenPair:
    """Base and target, each opened or with the reason why not. ``comparison`` is of the two; None
    where a side could not be opened."""

    base: Side
    target: Side
    comparison: Comparison | None


def open_chosen_pair() -> ChosenPair:
    """Open what the sidebar's inputs say by now."""
    base, target = open_side(st.session_state[BASE]), open_side(st.session_state[TARGET])
    return ChosenPair(base, target, compare_sides(base, target, st.session_state[LAYERS]))


def leave_for_page(chosen: ChosenPair) -> None:
    """Hand what the sidebar opened to the page of this run."""
    st.session_state[_CHOSEN] = chosen


def take_for_page() -> ChosenPair | None:
    """What the sidebar of this run left; None where there was none, as when a page's script is run
    without the entrypoint."""
    chosen: ChosenPair | None = st.session_state.pop(_CHOSEN, None)
    return chosen


def chosen_device() -> str:
    """Where to measure."""
    device: str = st.session_state[DEVICE]
    return device
