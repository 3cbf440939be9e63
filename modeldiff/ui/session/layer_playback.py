"""Playing through the layers: each is drawn for a while, in order, until the last.

Which layer is drawn stands in the session meanwhile. The URL is written once, when the play ends:
each change of it is a place in the browser's history, and Back should not lead through the film.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import streamlit as st

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.session.url_state import PLAY, View, change_view

SECONDS_A_LAYER = 1.0
# A fragment's clock is not ours: it may look a little early.
_EARLY = 0.2


@dataclass(frozen=True)
class _Play:
    """``layer`` is drawn since ``since``; ``begun_at`` is the layer that the URL says meanwhile."""

    layer: int
    since: float
    begun_at: int | None


def start_play(view: View, layers: int) -> None:
    """Play from the view's layer; from the first where that is the last, or all. For callbacks."""
    last = view.layer is not None and view.layer >= layers - 1
    first = 0 if view.layer is None or last else view.layer
    st.session_state[PLAY] = _Play(first, monotonic(), view.layer)


def stop_play() -> None:
    """Stay where the play is. For callbacks."""
    play = _play()
    if play is not None:
        change_view(layer=play.layer)


def beat() -> float | None:
    """How often the page is to be drawn for the play, in seconds; None where none runs."""
    return None if _play() is None else SECONDS_A_LAYER


def played(view: View, layers: int) -> View:
    """The view with the layer that is drawn now, which a play may have moved on."""
    play = _play()
    if play is None:
        return view
    # Back, or a link, went elsewhere: whoever did that wants to see it.
    if play.begun_at != view.layer or play.layer >= layers:
        del st.session_state[PLAY]
        return view
    now = monotonic()
    if now - play.since > SECONDS_A_LAYER - _EARLY:
        play = _Play(min(play.layer + 1, layers - 1), now, view.layer)
        st.session_state[PLAY] = play
    if play.layer == layers - 1:
        stop_play()
    return replace(view, layer=play.layer)


def _play() -> _Play | None:
    play = st.session_state.get(PLAY)
    return play if isinstance(play, _Play) else None
