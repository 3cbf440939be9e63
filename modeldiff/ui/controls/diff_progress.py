"""How far the diff of the chosen pair is, and the parts of a page that follow it.

The measuring itself runs in ``modeldiff.results``. Here it is asked for and drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitAPIException

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.results import Result, job_manager, job_request, load_result, note_asked
from modeldiff.text.formatting import format_bytes, format_duration
from modeldiff.ui.controls.follow_job import (
    SECONDS_BETWEEN_POLLS,
    JobWords,
    ResultOrJob,
    ask,
    follow_job,
    job_panel,
    result_or_job,
)
from modeldiff.ui.session.asking import asker
from modeldiff.ui.session.known_pairs import remember_pair
from modeldiff.ui.session.selected_pair import ChosenPair, open_chosen_pair
from modeldiff.ui.widgets.markdown import code

STARTS_BY_ITSELF_BELOW = 2_000_000_000
"""A local pair with fewer bytes to read than this is measured without asking."""

_STATE = "diff_state"
"""Where in the session the state is that this run of the page began with."""


_WORDS = JobWords(
    name="diff",
    behind="Waiting for another diff to finish",
    fetching="Downloading",
    reading="Measuring",
    start="Measure",
    again="Go on",
    before="Not measured yet.",
    stopped="**Stopped.** What was measured is kept.",
    failed="**Not finished.** What was measured until then is kept.",
)

DiffState = ResultOrJob[Result]
"""What there is of a diff."""


def any_measured(state: DiffState) -> bool:
    """Whether there are rows that are done."""
    return state.result is not None or (state.job is not None and bool(state.job.changes))


def diff_state(comparison: Comparison) -> DiffState:
    """The state now."""
    return result_or_job(comparison, lambda: _stored(comparison.key))


def changes_so_far(comparison: Comparison, state: DiffState) -> ChangeTable:
    """A row for every tensor of both sides; those not measured yet have no statistics."""
    if state.result is not None:
        return state.result.changes
    if state.job is not None and state.job.changes:
        aligned = comparison.aligned(state.job.alignment)
        return aligned.unmeasured.with_measured(state.job.changes)
    return comparison.unmeasured


def begin_run() -> ChosenPair:
    """Open the chosen pair and ask for its state, once for all parts of the page that follow it. A
    pair of small local checkpoints is measured without being asked, once. What this session asked
    for of another pair is left to others who want it."""
    chosen = open_chosen_pair()
    comparison = chosen.comparison
    wanted = None if comparison is None else job_request(comparison)
    job_manager().leave(asker().session, but=wanted)
    if comparison is not None:
        state = diff_state(comparison)
        if state.result is None and state.job is None and _starts_by_itself(comparison):
            ask(comparison)
            state = diff_state(comparison)
        st.session_state[_STATE] = state
        if (user := asker().name) and comparison.has_weights:
            note_asked(user, comparison.key)
        remember_pair(comparison.base.text, comparison.target.text)
    return chosen


def start_diff(comparison: Comparison) -> None:
    """Ask for the diff. Whoever asked for the same before is joined."""
    ask(comparison)


def follow(
    comparison: Comparison,
    draw: Callable[[DiffState], None],
    *,
    every: float | None = SECONDS_BETWEEN_POLLS,
    state: DiffState | None = None,
    beat: Callable[[], float | None] = lambda: None,
) -> None:
    """Draw a part of the page now, and again in time for as long as the diff runs.

    Args:
        every: how often, in seconds, while the diff runs; None where only a widget within draws the
            part again.
        state: what is known of the diff already; None for what this run of the page began with.
        beat: how often, in seconds, the part is to be drawn otherwise; None for not again.
    """
    known = begun_state() if state is None else state
    follow_job(_name(every), known, lambda: diff_state(comparison), draw, every=every, beat=beat)


def redraw_around() -> None:
    """Draw the parts that only widgets draw again (``every`` None), with all that is in them. For
    the callback of a widget in a part within, as its last statement; on a page that has no such
    parts the widget's own is drawn, as always."""
    with suppress(StreamlitAPIException):
        st.rerun(scope=_name(None))


def _name(every: float | None) -> str:
    return "diff_by_widgets" if every is None else f"diff_every_{every:g}"


def begun_state() -> DiffState:
    """The state that this run of the page began with. What is drawn of results alone needs no other
    one: the page is run anew when the diff ends."""
    state: DiffState = st.session_state[_STATE]
    return state


def diff_status(comparison: Comparison, state: DiffState, *, with_error: bool = True) -> None:
    """Start, progress, stop or failure of a diff that has no result yet, in the place where its
    coverage will stand. ``with_error``: what went wrong, too."""
    job_panel(
        state,
        _WORDS,
        cost=_cost(comparison),
        start=lambda: start_diff(comparison),
        start_label=f"Measure {format_bytes(comparison.nbytes)}",
        with_error=with_error,
    )


def measured_line(state: DiffState) -> None:
    """Where and when a result was measured; nothing before there is one."""
    if state.result is not None:
        header = state.result.header
        with st.container(key="measured"):
            st.caption(
                f"Measured on {code(header.device)} in {format_duration(header.seconds)}, "
                f"{header.created[:16].replace('T', ' ')} UTC."
            )


def diff_panel(comparison: Comparison, state: DiffState) -> None:
    """Start, progress and cancel of a diff that has no result yet; nothing once it has one."""
    if state.result is not None or not comparison.has_weights:
        return
    with st.container(border=True, key="diff_panel"):
        diff_status(comparison, state)


def _cost(comparison: Comparison) -> str:
    """What measuring costs beside reading, which the button says."""
    download = comparison.bytes_away
    return f"{format_bytes(download)} have to be downloaded first." if download else ""


def _starts_by_itself(comparison: Comparison) -> bool:
    small = comparison.nbytes < STARTS_BY_ITSELF_BELOW
    return comparison.has_weights and small and not comparison.bytes_away


@st.cache_resource(max_entries=8, show_spinner=False)
def _stored(key: str) -> Result:
    """The stored result. That there is none is raised, and so not kept, as one may come."""
    result = load_result(key)
    if result is None:
        raise LookupError(key)
    return result
