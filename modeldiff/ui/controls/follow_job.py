"""How far a job is, and the part of a page that follows it: the same for diffs and drill-downs.

The work itself runs in ``modeldiff.results``: workers of this process do each job once, however
many tabs ask. Here it is watched and drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import DrillDown, JobSnapshot, job_manager, job_request
from modeldiff.text.formatting import format_bytes, format_duration, format_rate
from modeldiff.ui.controls.pulse import keep_pace
from modeldiff.ui.session.asking import asker
from modeldiff.ui.session.entry_guard import guarded_part
from modeldiff.ui.session.selected_pair import chosen_device
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.markdown import plain

SECONDS_BETWEEN_POLLS = 1.0
"""How often a line of progress is drawn."""
SECONDS_BETWEEN_PICTURES = 2.0
"""How often a picture of what is measured so far is."""
_SECONDS_TO_COMPILE = 10
_REFUSED = "refused_jobs"
"""Where in the session the errors are of jobs that were asked for and not taken, by request."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class ResultOrJob(Generic[_Result]):
    """What there is of what was asked for: its result, or the job that works on it, or neither;
    then ``refused`` says why, where it was asked for and not taken."""

    result: _Result | None
    job: JobSnapshot | None
    refused: ModeldiffError | None = None

    @property
    def active(self) -> bool:
        """Whether somebody is on it now."""
        return self.job is not None and self.job.active

    @property
    def error(self) -> ModeldiffError | None:
        """What went wrong last; None where nothing did."""
        return self.refused or (self.job.error if self.job is not None else None)


@dataclass(frozen=True)
class JobWords:
    """What a panel calls a kind of job and its stages.

    ``name`` is part of the widgets' keys. ``behind`` introduces the pair that is waited for.
    ``computing`` is the stage after all is read, empty where
    there is none. ``before``, ``stopped`` and ``failed`` introduce the button that starts it:
    for the first time, and after either end.
    """

    name: str
    behind: str
    fetching: str
    reading: str
    start: str
    again: str
    computing: str = ""
    before: str = ""
    stopped: str = ""
    failed: str = ""


def result_or_job(
    comparison: Comparison, load: Callable[[], _Result], drill_down: DrillDown | None = None
) -> ResultOrJob[_Result]:
    """The state now of the comparison's diff, or of a drill-down into it. ``load`` gives the stored
    result and raises ``LookupError`` where there is none."""
    job = None
    # Once more after the job: one that ends meanwhile has left its result before it was done.
    for look_for_job in (True, False):
        try:
            return ResultOrJob(load(), None)
        except LookupError:
            if look_for_job:
                job = job_manager().find(comparison, drill_down=drill_down, asker=asker())
    refused = st.session_state.get(_REFUSED, {}).get(job_request(comparison, drill_down))
    # A job that is done without a result belongs to files or a cache that are gone.
    return ResultOrJob(None, None if job is not None and job.state == "done" else job, refused)


def ask(comparison: Comparison, drill_down: DrillDown | None = None) -> None:
    """Ask for the comparison's diff, or for a drill-down into it, in the name of who looks. Whoever
    asked for the same before is joined. Why it is not taken is a part of its state from then on."""
    refused = st.session_state.setdefault(_REFUSED, {})
    refused.clear()
    try:
        job_manager().submit(
            comparison, device=chosen_device(), drill_down=drill_down, asker=asker()
        )
    except ModeldiffError as error:
        refused[job_request(comparison, drill_down)] = error


def follow_job(
    name: str,
    state: ResultOrJob[_Result],
    state_now: Callable[[], ResultOrJob[_Result]],
    draw: Callable[[ResultOrJob[_Result]], None],
    *,
    every: float | None = SECONDS_BETWEEN_POLLS,
    beat: Callable[[], float | None] = lambda: None,
) -> None:
    """Draw a part of the page now, and again in time for as long as its job runs.

    ``state`` is what this run of the page knows already: it is drawn first. Then the part runs
    alone, and asks ``state_now``. Where the job has ended by then the whole page is run anew.

    Args:
        name: parts that share it are drawn together.
        every: how often, in seconds, while the job runs; None where only a widget within draws the
            part again.
        beat: how often, in seconds, it is to be drawn otherwise; None for not again.
    """

    def pace(state: ResultOrJob[_Result]) -> float | None:
        paces = (every if state.active else None, beat())
        return min((seconds for seconds in paces if seconds is not None), default=None)

    known, active = [state], state.active

    def part() -> None:
        state = known.pop() if known else state_now()
        if state.active != active or pace(state) != begun:
            st.rerun()
        draw(state)

    if (begun := pace(state)) is not None:
        keep_pace(name, begun)
    guarded_part(part, name)


def job_panel(
    state: ResultOrJob[_Result],
    words: JobWords,
    *,
    cost: str,
    start: Callable[[], None],
    start_label: str = "",
    with_error: bool = True,
) -> None:
    """Progress of a job that runs, and a button to stop it for whoever asked for it; else what
    became of it, what it costs, and a button that calls ``start``, named ``start_label`` where
    nothing was done yet. What went wrong is drawn ``with_error`` only: it may stand elsewhere.

    Both are a line of one height, so that nothing below moves when one takes the other's place.
    """
    job = state.job
    if with_error and state.error is not None:
        show_error(state.error)
    with st.container(horizontal=True, vertical_alignment="center", key=f"job_{words.name}"):
        if job is not None and job.active:
            me = asker()
            theirs = job.owner is not None and job.owner.user != me.user
            about = filter(None, (_whose(job) if theirs else "", _pace(job)))
            text = f"**{job_stage(job, words)}** {' · '.join(about)}"
            st.progress(job_share(job), text=text)
            if not theirs:
                stop = job_manager().cancel
                st.button("Stop", key=f"cancel_{words.name}", on_click=stop, args=(job.id, me))
            return
        end = words.before if job is None else words.stopped if job.error is None else words.failed
        st.markdown(f"{end} {cost}".lstrip(), width="content")
        st.button(
            (start_label or words.start) if job is None else words.again,
            key=f"start_{words.name}",
            type="primary",
            on_click=start,
        )


def job_stage(job: JobSnapshot, words: JobWords) -> str:
    """What a job that runs is at, in a few words of Markdown."""
    stages = {
        "queued": _queue(job, words),
        "unattended": "Waiting for the process that measures, which does not run",
        "opening": "Reading headers",
    }
    progress = job.progress
    if job.state == "waiting":
        return f"Another process has taken this pair, {job_share(job):.0%}"
    if job.state in stages or progress is None:
        return stages.get(job.state, words.reading)
    if progress.phase == "fetching":
        return f"{words.fetching}, {job_share(job):.0%}"
    if progress.phase == "compiling":
        return f"Compiling for this processor, once: {progress.current}"
    if words.computing and job_share(job) == 1:
        return f"{words.computing}, {job.elapsed:.0f} s so far"
    return f"{words.reading}, {job_share(job):.0%}"


def job_share(job: JobSnapshot) -> float:
    """How much of a job's bytes is done, from 0 to 1."""
    progress = job.progress
    if progress is None or not progress.bytes_total:
        return 0.0
    return min(1.0, progress.bytes_done / progress.bytes_total)


def _queue(job: JobSnapshot, words: JobWords) -> str:
    """What a job waits for, whose that is and for how long, as far as it is known."""
    place = job.place
    if place is None or not place.names:
        return "Waiting to start"
    owner = f", asked for by {plain(place.owner)}" if place.owner else ""
    left = "" if place.seconds_left is None else f", {format_duration(place.seconds_left)} left"
    more = f", then {place.ahead - 1:,} more" if place.ahead > 1 else ""
    return f"{words.behind}: {plain(place.names)}{owner}{left}{more}"


def _whose(job: JobSnapshot) -> str:
    """Who asked for a job, if that is known."""
    return f"asked for by {plain(job.owner.name)}" if job.owner and job.owner.name else ""


def _pace(job: JobSnapshot) -> str:
    progress = job.progress
    if progress is None:
        return ""
    if progress.phase == "compiling":
        return f"{job.elapsed:.0f} s; about {_SECONDS_TO_COMPILE} s on an idle machine"
    parts = [f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}"]
    if progress.bytes_done < progress.bytes_total:  # else what is left is no reading
        if job.bytes_per_second:
            parts.append(format_rate(job.bytes_per_second))
        if job.seconds_left is not None:
            parts.append(f"{format_duration(job.seconds_left)} left")
    if progress.current:
        parts.append(f":gray[{plain(progress.current)}]")
    return " · ".join(parts)
