"""Whether the app presents, and what it begins with: it stands in the address, so that a link
opens it."""

from __future__ import annotations

from typing import Literal, get_args

import streamlit as st

from modeldiff.ui.session.url_state import change_view

PresentedView = Literal["answer", "heatmap", "diagram", "evolution", "facts"]
_PARAMETER = "present"


def presented_view() -> PresentedView | None:
    """The view that is presented, or was when the script last ran; None for the app's pages."""
    # What was just removed is there still, as an empty list.
    values = st.query_params.get_all(_PARAMETER)
    if not values:
        return None
    return values[-1] if values[-1] in get_args(PresentedView) else "answer"  # type: ignore[return-value]


def present_button(view: PresentedView) -> None:
    """Draw the button that presents, beginning with this view."""
    st.button(
        "Present",
        key="present",
        help="One view per screen, for a projector. Arrow keys go from view to view.",
        on_click=change_view,
        kwargs={_PARAMETER: view},
    )


def keep_presenting(view: object) -> None:
    """Let the address say which view is shown, where it is one. For callbacks."""
    if view in get_args(PresentedView):
        change_view(**{_PARAMETER: str(view)})


def stop_presenting() -> None:
    """Go back to the app's pages. For callbacks."""
    change_view(present=None)
