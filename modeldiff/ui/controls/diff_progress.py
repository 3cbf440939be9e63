"""How far the diff of the chosen pair is, and the parts of a page that follow it.

The measuring itself runs in ``modeldiff.results``. Here it is asked for and drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from modeldiff.architectures import Place
from modeldiff.changes import Change, Pair
from modeldiff.drawings import format_bytes, format_duration
from modeldiff.results import Result, load_result, result_key, submit
from modeldiff.ui.controls.follow_job import (
    JobWords,
    ResultOrJob,
    follow_job,
    job_panel,
    job_share,
    job_stage,
    result_or_job,
)
from modeldiff.ui.session.opened_pair import Comparison, Opened, pairs_of
from modeldiff.ui.widgets.markdown import code

STARTS_BY_ITSELF_BELOW = 1_000_000_000
"""A local pair with fewer bytes to read than this is measured without asking."""


_WORDS = JobWords(
    name="diff",
    queued="Waiting for another diff to finish",
    fetching="Downloading",
    reading="Measuring",
    start="Start the diff",
    again="Start again",
    before="**Not measured yet.**",
    stopped="**Stopped.** What was measured is kept, and the next start goes on from there.",
    failed="**The diff did not finish.** What was measured until then is kept.",
)

DiffState = ResultOrJob[Result]
"""What there is of a diff."""


def diff_state(comparison: Comparison) -> DiffState:
    """The state now."""
    key = result_key(comparison.base.checkpoint, comparison.target.checkpoint)
    return result_or_job(comparison, lambda: _stored(key))


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
    follow_job(lambda: diff_state(comparison), draw, beat=beat)


def diff_line(state: DiffState) -> None:
    """The state in one line, for the sidebar."""
    result, job = state.result, state.job
    if result is not None:
        seconds = format_duration(result.header.seconds)
        st.caption(f":material/check_circle: Measured on {code(result.header.device)} in {seconds}")
    elif job is None:
        st.caption(":material/radio_button_unchecked: Not measured yet")
    elif state.active:
        st.progress(job_share(job), text=job_stage(job, _WORDS))
    else:
        st.caption(f":material/error: {'Stopped' if job.error is None else 'The diff failed'}")


def diff_panel(comparison: Comparison, state: DiffState) -> None:
    """Start, progress and cancel of a diff that has no result yet; nothing once it has one."""
    if state.result is not None:
        return
    if not comparison.has_weights:
        st.info("A config alone has no weights: the architectures are compared, not the numbers.")
        return
    with st.container(border=True, key="diff_panel"):
        job_panel(state.job, _WORDS, cost=_cost(comparison), start=lambda: start_diff(comparison))


def _cost(comparison: Comparison) -> str:
    read, download = _bytes_to_come(comparison)
    text = f"A diff reads {format_bytes(read)} of weights"
    if download:
        text += f" and downloads {format_bytes(download)} of them first"
    return f"{text}."


def _bytes_to_come(comparison: Comparison) -> tuple[int, int]:
    """(bytes to read, bytes to download before that)."""
    read = sum(pair.nbytes for pair in pairs_of(comparison))
    return read, _bytes_away(comparison.base) + _bytes_away(comparison.target)


def _bytes_away(side: Opened) -> int:
    return sum(map(side.checkpoint.source.bytes_to_download, side.checkpoint.files))


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
