"""A tour of the demo pair in a box above the pages: each step says what to see and leads to the
next. The step stands in the address, so that Back goes a step back and a link shows the same."""

from __future__ import annotations

from typing import Final

import streamlit as st

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.session.selected_pair import DEFAULT, pair_choice
from modeldiff.ui.session.url_state import change_view

_NAME: Final = "tour"


@dataclass(frozen=True)
class TourStep:
    """A stop of the tour: the page's name, the place that is chosen on it, what to see there."""

    page: str
    title: str
    text: str
    layer: str = ""
    component: str = ""

    def query(self, number: int) -> dict[str, str]:
        """The address's query at this stop, the ``number``-th."""
        place = {"layer": self.layer, "component": self.component}
        return {_NAME: str(number), **{name: value for name, value in place.items() if value}}


TOUR_STEPS: tuple[TourStep, ...] = (
    TourStep(
        "compare",
        "The answer",
        "`demo:continued` is `demo:base`, trained on with other text. The sentence says how far "
        "its weights moved; the picture, where: layers across, components down. **What differs** "
        "names the few things to remember.",
    ),
    TourStep(
        "heatmap",
        "One cell",
        "The same picture, larger, with one cell chosen: the value projection of layer 1, which "
        "stands out from those of the other layers. The panel has all its numbers; below them, how "
        "the change is spread over the heads, as an image, and of what rank it is.",
        "1",
        "self_attn.v_proj",
    ),
    TourStep(
        "diagram",
        "What it does",
        "The layer as data passes through it, upward. The chosen box is the same projection: what "
        "it computes, as a formula, and why a change there matters. Play through the layers below.",
        "1",
        "self_attn.v_proj",
    ),
    TourStep(
        "beyond",
        "Beyond the weights",
        "Two models also differ in what lies beside their weights: tokenizer, chat template, "
        "configs. Here all of it is the same. Now choose your own models under **Pair**.",
    ),
)


def start_tour() -> None:
    """Go to the first step, on the page of the answer. For callbacks."""
    change_view(**{_NAME: 1})


def guided_tour() -> None:
    """Draw the box, where the address says a step and the pair is the demo's."""
    number = _number()
    choice = pair_choice()
    if number is None or (choice.base, choice.target) != (DEFAULT.base, DEFAULT.target):
        return
    step = TOUR_STEPS[number - 1]
    with st.container(border=True, key="tour"):
        st.markdown(f"**{step.title}** :gray[{number} of {len(TOUR_STEPS)}]  \n{step.text}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if number > 1:
                _link("Back", number - 1)
            if number < len(TOUR_STEPS):
                _link(f"Next: {TOUR_STEPS[number].title.lower()}", number + 1)
            st.button(
                "End the tour", key="tour_end", type="tertiary", on_click=change_view, kwargs=_OFF
            )


def _link(label: str, number: int) -> None:
    step = TOUR_STEPS[number - 1]
    st.page_link(f"pages/{step.page}.py", label=label, query_params=step.query(number))


_OFF: dict[str, None] = {_NAME: None}


def _number() -> int | None:
    text = st.query_params.get(_NAME, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
    return number if 0 < number <= len(TOUR_STEPS) else None
