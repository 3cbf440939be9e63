"""How far a closer look is, and the part of the page that follows it.

What has to be read again is read by the job manager, once however many ask, and kept with the
result. Here it is asked for, watched and shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.drawings import format_bytes
from modeldiff.results import (
    DrillDown,
    DrillDownResult,
    JobSnapshot,
    cancel,
    find,
    load_drill_down,
    submit,
)
from modeldiff.ui.session.selected_pair import chosen_device
from modeldiff.ui.widgets.error_box import show_error

SECONDS_BETWEEN_POLLS = 0.5
_PATIENCE = 0.6
"""Seconds that a page waits for a look before it shows how far it is: most are there by then."""


@dataclass(frozen=True)
class DrillDownState:
    """What there is of a look: what it found, or the job that works on it, or neither."""

    found: DrillDownResult | None
    job: JobSnapshot | None

    @property
    def active(self) -> bool:
        """Whether somebody is on it now."""
        return self.job is not None and self.job.active


def drill_down_state(comparison: Comparison, look: DrillDown) -> DrillDownState:
    """The state now."""
    try:
        return DrillDownState(_kept(comparison.key, look), None)
    except LookupError:
        job = find(comparison, look=look)
        return DrillDownState(None, None if job is not None and job.state == "done" else job)


def follow_drill_down(
    comparison: Comparison,
    look: DrillDown,
    *,
    by_itself: bool,
    cost: str,
    show: Callable[[DrillDownResult], None],
) -> None:
    """Show a look, or how far it is, or a button that starts it and says what it costs.

    ``by_itself``: it starts unasked, once.
    """
    state = drill_down_state(comparison, look)
    if state.found is None and state.job is None and by_itself:
        _start(comparison, look)
        state = _wait(comparison, look)
    if state.found is not None:
        show(state.found)
        return
    polling = state.active

    def watch() -> None:
        state = drill_down_state(comparison, look)
        if state.active != polling or state.found is not None:
            st.rerun()
        _progress(comparison, look, state, cost)

    st.fragment(watch, run_every=SECONDS_BETWEEN_POLLS if polling else None)()


def _progress(comparison: Comparison, look: DrillDown, state: DrillDownState, cost: str) -> None:
    job = state.job
    if job is not None and state.active:
        share, text = _share(job)
        st.progress(share, text=text)
        st.button("Cancel", key="cancel_look", on_click=cancel, args=(job.id,))
        return
    if job is not None and job.state == "failed" and job.error is not None:
        show_error(job.error)
    elif job is not None:
        st.markdown("**Stopped.** Nothing of it is kept.")
    st.markdown(cost)
    st.button(
        "Look closer" if job is None else "Try again",
        key="start_look",
        type="primary",
        on_click=_start,
        args=(comparison, look),
    )


def _share(job: JobSnapshot) -> tuple[float, str]:
    progress = job.progress
    if job.state == "queued":
        return 0.0, "Waiting for another look to finish"
    if progress is None or not progress.bytes_total:
        return 0.0, "Reading headers"
    share = min(progress.bytes_done / progress.bytes_total, 1.0)
    if progress.phase == "fetching":
        done = f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}"
        return share, f"Downloading the file that holds it, {done}"
    if share == 1.0:
        return share, f"Computing, {job.elapsed:.0f} s so far"
    return share, f"Reading, {share:.0%}"


def _start(comparison: Comparison, look: DrillDown) -> None:
    submit(comparison, device=chosen_device(), look=look)


def _wait(comparison: Comparison, look: DrillDown) -> DrillDownState:
    """The state once it is over, or after a moment."""
    until = time.monotonic() + _PATIENCE
    while (state := drill_down_state(comparison, look)).active and time.monotonic() < until:
        time.sleep(0.02)
    return state


@st.cache_resource(max_entries=24, show_spinner=False)
def _kept(key: str, look: DrillDown) -> DrillDownResult:
    """The stored look. That there is none is raised, and so not kept, as one may come."""
    found = load_drill_down(key, look)
    if found is None:
        raise LookupError(key)
    return found
