"""How far the diff of the chosen pair is, and the parts of a page that follow it.

The measuring itself runs in ``modeldiff.results``: one worker of this process answers each
question once, however many tabs ask. Here it is asked for, watched and drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from modeldiff.architectures import Place
from modeldiff.changes import Change, Pair
from modeldiff.drawings import format_bytes, format_duration, format_rate
from modeldiff.results import (
    JobSnapshot,
    Result,
    cancel,
    find,
    load_result,
    result_key,
    submit,
)
from modeldiff.ui.session.opened_pair import Comparison, Opened, pairs_of
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.markdown import code, plain

_SECONDS_BETWEEN_POLLS = 1.0
STARTS_BY_ITSELF_BELOW = 1_000_000_000
"""A local pair with fewer bytes to read than this is measured without asking."""


@dataclass(frozen=True)
class DiffState:
    """What there is of a diff: its result, or the job that works on it, or neither."""

    result: Result | None
    job: JobSnapshot | None

    @property
    def active(self) -> bool:
        """Whether somebody is measuring it now."""
        return self.job is not None and self.job.active


def diff_state(comparison: Comparison) -> DiffState:
    """The state now."""
    key = result_key(comparison.base.checkpoint, comparison.target.checkpoint)
    try:
        return DiffState(_stored(key), None)
    except LookupError:
        job = find(*comparison.references)
        # A job that is done without a result belongs to files or a cache that are gone.
        return DiffState(None, None if job is not None and job.state == "done" else job)


def measured(state: DiffState) -> tuple[Change, ...]:
    """The rows that are done."""
    if state.result is not None:
        return state.result.changes
    return state.job.changes if state.job is not None else ()


def changes_so_far(comparison: Comparison, state: DiffState) -> tuple[Change, ...]:
    """A row for every tensor of both sides; those not measured yet have no statistics."""
    if state.result is not None:
        return state.result.changes
    finished = {_names(change.pair): change for change in measured(state)}
    return tuple(finished.get(_names(pair), Change(pair)) for pair in pairs_of(comparison))


def start_small_diff(comparison: Comparison) -> None:
    """Measure a pair of small local checkpoints without being asked, once."""
    state = diff_state(comparison)
    if state.result is None and state.job is None:
        read, download = _bytes_to_come(comparison)
        if not download and read < STARTS_BY_ITSELF_BELOW:
            start_diff(comparison)


def start_diff(comparison: Comparison) -> None:
    """Ask for the diff. Whoever asked for the same before is joined."""
    submit(*comparison.references, device=comparison.device)


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
        return _SECONDS_BETWEEN_POLLS if state.active else beat()

    begun = pace(diff_state(comparison))

    def look() -> None:
        state = diff_state(comparison)
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
    read, download = _bytes_to_come(comparison)
    text = f"A diff reads {format_bytes(read)} of weights"
    if download:
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


def _bytes_to_come(comparison: Comparison) -> tuple[int, int]:
    """(bytes to read, bytes to download before that)."""
    read = sum(pair.nbytes for pair in pairs_of(comparison))
    return read, _bytes_away(comparison.base) + _bytes_away(comparison.target)


def _bytes_away(side: Opened) -> int:
    files, storage = side.checkpoint.files, side.checkpoint.storage
    return sum(size for file, size in files.items() if not storage.is_local(file))


def _names(pair: Pair) -> tuple[Place, str | None, str | None]:
    """What tells a pair apart also where measuring found it unreadable."""
    base, target = pair.base, pair.target
    return pair.place, base.name if base else None, target.name if target else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _stored(key: str) -> Result:
    """The stored result. That there is none is raised, and so not kept, as one may come."""
    result = load_result(key)
    if result is None:
        raise LookupError(key)
    return result
