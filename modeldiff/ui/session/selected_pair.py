"""The pair that is chosen: it stands in the page's address, and is opened once a run.

Base, target, their labels, the device and how layers meet are changed in one step, so that each
pair that somebody chose is one entry of the browser's history.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import streamlit as st

from modeldiff.changes import available_devices
from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.checkpoints import without_credentials
from modeldiff.comparison import Comparison
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.session.known_pairs import PRESETS
from modeldiff.ui.session.opening import Side, compare_sides, open_side
from modeldiff.ui.session.url_state import change_view

DEFAULT = PRESETS[0]
_CHOSEN = "chosen_pair"
_OF_A_PLACE = ("layer", "component", "expert", "look", "side", "rows", "tour")
"""What is chosen of a pair. It says nothing of another one."""


@dataclass(frozen=True)
class PairChoice:
    """What was asked for: both references as typed, what to call each (empty: by its own name),
    the device to measure on, and how layers meet. ``alone`` is not empty where base is to be seen
    by itself, ``stream`` where weights at the Hub are read there and not downloaded. The
    fields' names are those in the address."""

    base: str = DEFAULT.base
    target: str = DEFAULT.target
    base_label: str = ""
    target_label: str = ""
    device: str = "auto"
    layers: LayerMatching = "auto"
    alone: str = ""
    stream: str = ""

    @property
    def swapped(self) -> PairChoice:
        """The same pair seen from the other side."""
        return replace(
            self,
            base=self.target,
            target=self.base,
            base_label=self.target_label,
            target_label=self.base_label,
        )


@dataclass(frozen=True)
class ChosenPair:
    """Base and target, each opened or with the reason why not. ``comparison`` is of the two; None
    where a side could not be opened, and where base is ``alone``."""

    base: Side
    target: Side
    comparison: Comparison | None
    alone: bool = False


def pair_choice() -> PairChoice:
    """What the address says, with defaults for what it does not say."""
    # What was just removed is there still, as an empty list.
    said = {
        field.name: values[-1]
        for field in fields(PairChoice)
        if (values := st.query_params.get_all(field.name))
    }
    choice = PairChoice(**said)  # type: ignore[arg-type]
    return choice if choice.layers in get_args(LayerMatching) else replace(choice, layers="auto")


def choose_pair(choice: PairChoice) -> None:
    """Write a choice into the address, in one step; what is the default is left out, and so are
    credentials in a pasted reference. What was chosen of another pair goes. For callbacks."""
    changes = _in_the_address(choice)
    before = _in_the_address(pair_choice())
    if any(changes[side] != before[side] for side in ("base", "target")):
        changes |= dict.fromkeys(_OF_A_PLACE)
    change_view(**changes)


def pair_query(choice: PairChoice) -> dict[str, str]:
    """The query of a link that opens a choice and nothing beside it."""
    return {name: value for name, value in _in_the_address(choice).items() if value is not None}


def _in_the_address(choice: PairChoice) -> dict[str, str | None]:
    """What the address says of a choice, by name; None for what is the default."""
    choice = replace(
        choice,
        base=without_credentials(choice.base.strip()),
        target=without_credentials(choice.target.strip()),
    )
    values = {field.name: (getattr(choice, field.name), field.default) for field in fields(choice)}
    return {name: None if value == usual else value for name, (value, usual) in values.items()}


def hide_credentials() -> None:
    """Take credentials out of the address that somebody opened."""
    for name in ("base", "target"):
        said = st.query_params.get(name, "")
        if (safe := without_credentials(said)) != said:
            st.query_params[name] = safe


def open_chosen_pair() -> ChosenPair:
    """Open what the address says by now."""
    choice = pair_choice()
    stream = bool(choice.stream)
    base = open_side(choice.base, choice.base_label, stream=stream)
    if choice.alone:
        return ChosenPair(base, base, None, alone=True)
    target = open_side(choice.target, choice.target_label, stream=stream)
    return ChosenPair(base, target, compare_sides(base, target, choice.layers))


def leave_for_page(chosen: ChosenPair) -> None:
    """Hand what the entrypoint opened to the page of this run."""
    st.session_state[_CHOSEN] = chosen


def take_for_page() -> ChosenPair | None:
    """What the entrypoint of this run left; None where there was none, as when a page's script is
    run without the entrypoint."""
    chosen: ChosenPair | None = st.session_state.pop(_CHOSEN, None)
    return chosen


def chosen_device() -> str:
    """Where to measure."""
    device = pair_choice().device
    return device if device in available_devices() else "auto"
