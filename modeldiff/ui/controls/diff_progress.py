"""How far the diff of the chosen pair is, and the parts of a page that follow it.

The measuring itself runs in ``modeldiff.results``: one worker of this process answers each
question once, however many tabs ask. Here it is asked for, watched and drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings import format_bytes, format_duration, format_rate
from modeldiff.results import JobSnapshot, Result, cancel, find, load_result, submit
from modeldiff.ui.session.selected_pair import ChosenPair, chosen_device, open_chosen_pair
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.markdown import code, plain

SECONDS_BETWEEN_POLLS = 1.0
STARTS_BY_ITSELF_BELOW = 1_000_000_000
"""A local pair with fewer bytes to read than this is measured without asking."""
_STATE = "diff_state"
"""Where in the session the state is that this run of the page began with."""


@dataclass(frozen=True)
class DiffState:
    """What there is of a diff: its result, or the job that works on it, or neither."""

    result: Result | None
    job: JobSnapshot | None

    @property
    def active(self) -> bool:
        """Whether somebody is measuring it now."""
        return self.job is not None and self.job.active

    @property
    def any_measured(self) -> bool:
        """Whether there are rows that are done."""
        return self.result is not None or (self.job is not None and bool(self.job.changes))


def diff_state(comparison: Comparison) -> DiffState:
    """The state now."""
    try:
        return DiffState(_stored(comparison.key), None)
    except LookupError:
        job = find(comparison)
        # A job that is done without a result belongs to files or a cache that are gone.
        return DiffState(None, None if job is not None and job.state == "done" else job)


def changes_so_far(comparison: Comparison, state: DiffState) -> ChangeTable:
    """A row for every tensor of both sides; those not measured yet have no statistics."""
    if state.result is not None:
        return state.result.changes
    if state.job is not None and state.job.changes:
        return comparison.unmeasured.with_measured(state.job.changes)
    return comparison.unmeasured


def begin_run() -> ChosenPair:
    """Open the chosen pair and ask for its state, once for all parts of the page that follow it. A
    pair of small local checkpoints is measured without being asked, once."""
    chosen = open_chosen_pair()
    if (comparison := chosen.comparison) is not None:
        state = diff_state(comparison)
        if state == DiffState(None, None) and _starts_by_itself(comparison):
            state = DiffState(None, submit(comparison, device=chosen_device()))
        st.session_state[_STATE] = state
    return chosen


def start_diff(comparison: Comparison) -> None:
    """Ask for the diff. Whoever asked for the same before is joined."""
    submit(comparison, device=chosen_device())


def follow(
    comparison: Comparison,
    draw: Callable[[DiffState], None],
    *,
    beat: Callable[[], float | None] = lambda: None,
) -> None:
    """Draw a part of the page now, and again each second for as long as the diff runs.

    ``beat`` is how often, in seconds, it is to be drawn otherwise; None for not again.
    """

    def pace(state: DiffState) -> float | None:
        return SECONDS_BETWEEN_POLLS if state.active else beat()

    # The first time as the whole page sees it; then the part runs alone, and looks for itself.
    known: list[DiffState] = [st.session_state[_STATE]]
    begun = pace(known[0])

    def look() -> None:
        state = known.pop() if known else diff_state(comparison)
        if pace(state) != begun:
            st.rerun()
        draw(state)

    st.fragment(look, run_every=begun)()


def diff_line(state: DiffState) -> None:
    """The state in one line, for the sidebar."""
    result, job = state.result, state.job
    if result is not None:
        seconds = format_duration(result.header.seconds)
        st.caption(f":material/check_circle: Measured on {code(result.header.device)} in {seconds}")
    elif job is None:
        st.caption(":material/radio_button_unchecked: Not measured yet")
    elif state.active:
        st.progress(_share(job), text=_stage(job))
    else:
        st.caption(f":material/error: {_stage(job)}")


def diff_panel(comparison: Comparison, state: DiffState) -> None:
    """Start, progress and cancel of a diff that has no result yet; nothing once it has one."""
    if state.result is not None:
        return
    if not comparison.has_weights:
        st.info("A config alone has no weights: the architectures are compared, not the numbers.")
        return
    job = state.job
    with st.container(border=True, key="diff_panel"):
        if job is not None and state.active:
            st.progress(_share(job), text=f"**{_stage(job)}** {_pace(job)}")
            st.button("Cancel", key="cancel_diff", on_click=cancel, args=(job.id,))
            return
        if job is not None and job.error is not None and job.state == "failed":
            show_error(job.error)
        st.markdown(f"{_before(job)} {_cost(comparison)}")
        st.button(
            "Start the diff" if job is None else "Start again",
            key="start_diff",
            type="primary",
            on_click=start_diff,
            args=(comparison,),
        )


def _before(job: JobSnapshot | None) -> str:
    if job is None:
        return "**Not measured yet.**"
    if job.state == "cancelled":
        return "**Stopped.** What was measured is kept, and the next start goes on from there."
    return "**The diff did not finish.** What was measured until then is kept."


def _cost(comparison: Comparison) -> str:
    text = f"A diff reads {format_bytes(comparison.nbytes)} of weights"
    if download := _bytes_away(comparison):
        text += f" and downloads {format_bytes(download)} of them first"
    return f"{text}."


def _stage(job: JobSnapshot) -> str:
    if job.state == "measuring" and job.progress is not None:
        doing = "Downloading" if job.progress.phase == "fetching" else "Measuring"
        return f"{doing}, {_share(job):.0%}"
    return {
        "queued": "Waiting for another diff to finish",
        "opening": "Reading headers",
        "waiting": "Another process is measuring this pair",
        "failed": "The diff failed",
        "cancelled": "Stopped",
    }.get(job.state, "Measuring")


def _pace(job: JobSnapshot) -> str:
    progress = job.progress
    if progress is None:
        return ""
    parts = [f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}"]
    if job.bytes_per_second:
        parts.append(format_rate(job.bytes_per_second))
    if job.seconds_left is not None:
        parts.append(f"{format_duration(job.seconds_left)} left")
    if progress.current:
        parts.append(f":gray[{plain(progress.current)}]")
    return " · ".join(parts)


def _share(job: JobSnapshot) -> float:
    progress = job.progress
    if progress is None or not progress.bytes_total:
        return 0.0
    return min(1.0, progress.bytes_done / progress.bytes_total)


def _starts_by_itself(comparison: Comparison) -> bool:
    small = comparison.nbytes < STARTS_BY_ITSELF_BELOW
    return comparison.has_weights and small and not _bytes_away(comparison)


def _bytes_away(comparison: Comparison) -> int:
    return comparison.base.bytes_away + comparison.target.bytes_away


@st.cache_resource(max_entries=8, show_spinner=False)
def _stored(key: str) -> Result:
    """The stored result. That there is none is raised, and so not kept, as one may come."""
    result = load_result(key)
    if result is None:
        raise LookupError(key)
    return result
