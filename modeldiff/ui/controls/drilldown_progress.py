"""The part of a page that shows a drill-down, or how far it is.

What has to be read again is read by the job manager, once however many ask, and kept with the
result. Here it is asked for and shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.results import DrillDown, job_manager, job_request, load_drill_down
from modeldiff.ui.controls.follow_job import (
    JobWords,
    ResultOrJob,
    ask,
    follow_job,
    job_panel,
    result_or_job,
)
from modeldiff.ui.session.asking import asker

_PATIENCE = 0.6
"""Seconds that a page waits for a drill-down before it shows how far it is: most are there by
then."""
_WORDS = JobWords(
    name="drill_down",
    behind="Waiting for another drill-down to finish",
    fetching="Downloading the file that holds it",
    reading="Reading",
    computing="Computing",
    start="Look closer",
    again="Try again",
    stopped="**Stopped.** Nothing of it is kept.",
)


def follow_drill_down(
    comparison: Comparison,
    request: DrillDown,
    *,
    by_itself: bool,
    cost: str,
    show: Callable[[Any], None],
) -> None:
    """Show a drill-down, or how far it is, or a button that starts it and says what it costs.

    ``by_itself``: it starts unasked, once. A drill-down that this session looked at before is left
    to others who want it. ``show`` draws its result.
    """

    def state_now() -> ResultOrJob[Any]:
        return _state(comparison, request)

    def start() -> None:
        ask(comparison, request)

    def draw(state: ResultOrJob[Any]) -> None:
        if state.result is None:
            job_panel(state, _WORDS, cost=cost, start=start)
        else:
            show(state.result)

    wanted = job_request(comparison, request)
    job_manager().leave(asker().session, but=wanted, drill_downs=True)
    state = state_now()
    if by_itself and state.result is None and state.job is None and state.refused is None:
        start()
        until = time.monotonic() + _PATIENCE
        while (state := state_now()).active and time.monotonic() < until:
            time.sleep(0.02)
    follow_job("drill_down", state, state_now, draw)


def _state(comparison: Comparison, request: DrillDown) -> ResultOrJob[Any]:
    return result_or_job(comparison, lambda: _stored(comparison.key, request), request)


@st.cache_resource(max_entries=24, show_spinner=False)
def _stored(key: str, request: DrillDown) -> Any:
    """The stored result. That there is none is raised, and so not kept, as one may come."""
    result = load_drill_down(key, request)
    if result is None:
        raise LookupError(key)
    return result
