"""Diffs and drill-downs in the background: who asked for what, and what became of it.

A job that is asked for again while it is under way is joined, however many ask. It ends when the
last who wanted it has left. What those who ask see are snapshots: frozen values that never change
under them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Protocol

from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError, ResultError
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.jobs.asker import Asker, JobRequest, job_request
from modeldiff.results.jobs.delegation import Delegation
from modeldiff.results.jobs.job import BackgroundJob, JobSnapshot, JobState
from modeldiff.results.jobs.lanes import EndJob, Lanes
from modeldiff.settings.table import MOST_QUEUED, MOST_QUEUED_PER_USER, WORKER

_KEPT_JOBS = 50
_GRACE = 5.0
"""Seconds that a job may be wanted by nobody: a page that is loaded again leaves and comes back."""


class Performer(Protocol):
    """Who works on jobs. Its methods are called under the manager's lock."""

    def begin(self, job: BackgroundJob) -> None:
        """Take ``job``, which is new."""

    def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
        """Let go of ``job``, which is to stop, by itself or because this process is ``closing``;
        True where that is all there is to do, False where its end is told later."""

    def refresh(self, job: BackgroundJob) -> None:
        """Bring up to date what ``job`` says of itself, as far as that changes unseen."""

    def is_under_way(self, job: BackgroundJob) -> bool:
        """Whether another process asked for what ``job`` is, so that it may be followed here."""


class JobManager:
    """All jobs of this process. ``performer`` makes who works on them, of the lock under which jobs
    change, a clock in seconds, and whom to tell of a job's end; ``clock`` is that clock."""

    def __init__(
        self,
        performer: Callable[[threading.Condition, Callable[[], float], EndJob], Performer] = Lanes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._condition = threading.Condition()
        self._clock = clock
        self._jobs: dict[str, BackgroundJob] = {}  # oldest first
        self._performer = performer(self._condition, clock, self._end)
        self._closing = False

    def submit(
        self,
        comparison: Comparison,
        *,
        device: str = "auto",
        drill_down: DrillDown | None = None,
        asker: Asker | None = None,
    ) -> JobSnapshot:
        """Ask for a diff, or for a drill-down into one of its pairs, or join the job that is
        already on it; ``asker`` is who does, None for nobody in particular.

        Raises ``InvalidOption`` for a drill-down of an unknown kind, and ``ResultError`` where too
        many wait or the server is being stopped.
        """
        job = BackgroundJob(comparison, device, drill_down, asker)
        with self._condition:
            for other in self._jobs_for(job.request):
                if other.active and other.device == device:
                    other.want(asker)
                    return self._snapshot(other)
            if self._closing:
                raise _restarting()
            self._require_room(job.user)
            self._begin(job)
            return self._snapshot(job)

    def job(self, job_id: str) -> JobSnapshot | None:
        """The job with this id; None if there is none or it was long ago."""
        with self._condition:
            job = self._jobs.get(job_id)
            return self._snapshot(job) if job else None

    def find(
        self,
        comparison: Comparison,
        *,
        drill_down: DrillDown | None = None,
        asker: Asker | None = None,
    ) -> JobSnapshot | None:
        """The newest job for this diff or drill-down, on whatever device; None if there is none. An
        ``asker`` who finds one that is under way wants it from now on."""
        with self._condition:
            job = next(self._jobs_for(job_request(comparison, drill_down)), None)
            if job is None and asker is not None and not self._closing:
                new = BackgroundJob(comparison, "auto", drill_down, asker)
                if self._performer.is_under_way(new):
                    self._begin(job := new)
            if job is None:
                return None
            if job.active and asker is not None:
                job.want(asker)
            return self._snapshot(job)

    def active_counts(self) -> Counter[tuple[str, JobState]]:
        """How many jobs wait or are worked on, by lane and state."""
        with self._condition:
            return Counter(
                (job.lane, job.state) for job in self._jobs.values() if job.ended is None
            )

    def leave(
        self, session: str, *, but: JobRequest | None = None, drill_downs: bool = False
    ) -> None:
        """A ``session`` wants none of its jobs any more ``but`` one; with ``drill_downs`` that is
        said of drill-downs alone."""
        with self._condition:
            for job in self._jobs.values():
                if job.request != but and (job.drill_down is not None or not drill_downs):
                    job.leave(session, self._clock())

    def sessions(self) -> frozenset[str]:
        """The sessions that want a job which is under way."""
        with self._condition:
            jobs = [job for job in self._jobs.values() if job.active]
            return frozenset(session for job in jobs for session in job.askers)

    def sweep(self) -> None:
        """Stop the jobs that nobody has wanted for some seconds. To be called now and then."""
        with self._condition:
            now = self._clock()
            for job in list(self._jobs.values()):
                since = job.unwanted_since
                if job.active and since is not None and now - since >= _GRACE:
                    job.abandoned = True
                    self._stop(job)

    def cancel(self, job_id: str, asker: Asker | None = None) -> None:
        """Stop a job: at once if it is queued, else as soon as it next reports. One that is over,
        or unknown, is left as it is, and so is one that belongs to another user than ``asker``'s
        (None: whoever runs the process)."""
        with self._condition:
            job = self._jobs.get(job_id)
            if job is None or not job.active:
                return
            if asker is None or job.owner is None or job.owner.user == asker.user:
                self._stop(job)

    def shut_down(self, seconds: float) -> bool:
        """Take no new jobs and end those that there are, with a word to those who want them. Waits
        for that for some ``seconds`` at most, and says whether all have ended."""
        with self._condition:
            self._closing = True
            for job in list(self._jobs.values()):
                if job.active:
                    self._stop(job)
            return self._condition.wait_for(
                lambda: all(job.ended is not None for job in self._jobs.values()), seconds
            )

    def _begin(self, job: BackgroundJob) -> None:
        self._jobs[job.id] = job
        self._performer.begin(job)

    def _snapshot(self, job: BackgroundJob) -> JobSnapshot:
        if job.ended is None:
            self._performer.refresh(job)
        return job.snapshot(self._clock())

    def _jobs_for(self, request: JobRequest) -> Iterator[BackgroundJob]:
        """The jobs for this request, newest first, but for those that all have left: who comes
        back finds them not stopped but not begun."""
        return (
            job
            for job in reversed(self._jobs.values())
            if job.request == request and not job.abandoned
        )

    def _require_room(self, user: str) -> None:
        waiting = [job for job in self._jobs.values() if job.active and job.started is None]
        most, most_of_one = MOST_QUEUED.value(), MOST_QUEUED_PER_USER.value()
        if len(waiting) >= most:
            raise ResultError(
                f"{most:,} other jobs wait to be done, and no more can be taken.",
                hint="Try again in some minutes.",
            )
        if sum(job.user == user for job in waiting) >= most_of_one:
            raise ResultError(
                f"{most_of_one:,} of your own jobs wait to be done, and no more can be taken.",
                hint="Stop one of them, or try again when one is done.",
            )

    def _stop(self, job: BackgroundJob) -> None:
        job.stop = True
        if self._performer.withdraw(job, self._closing):
            self._end(job, "cancelled", None)

    def _end(self, job: BackgroundJob, state: JobState, error: ModeldiffError | None) -> None:
        if state == "cancelled" and self._closing:
            state, error = "failed", _restarting()
        job.state, job.error, job.ended = state, error, self._clock()
        alike = (each for each in self._jobs.values() if each.lane == job.lane)
        over = [each for each in alike if each.ended is not None and each is not job]
        for each in over:
            each.forget()
        for each in over[: max(0, len(over) + 1 - _KEPT_JOBS)]:
            del self._jobs[each.id]
        self._condition.notify_all()


def _restarting() -> ResultError:
    return ResultError(
        "The server is being restarted; the diff goes on where it stopped.",
        hint="Load the page again in a minute, and ask for it once more if it has not begun.",
    )


@cache
def _manager() -> JobManager:
    return JobManager(Delegation if WORKER.value() else Lanes)


_making = threading.Lock()


def job_manager() -> JobManager:
    """The jobs of this process, measured here or, where the settings say so, by ``modeldiff
    worker``. Raises ``InvalidOption`` where the settings can't be read."""
    with _making:
        return _manager()
