"""Diffs and drill-downs in the background: workers of this process do one job after the other.

A job that is asked for again while it is under way is joined, however many ask. What those who ask
see are snapshots: frozen values that never change under them.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from modeldiff.changes.change import Change, Progress
from modeldiff.changes.layer_chains import BY_POSITION, Alignment, LayerMatching
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, ModeldiffError, ResultError
from modeldiff.observability.events import job_began, job_ended
from modeldiff.observability.request import current_request, working_for
from modeldiff.results.diff import run_diff
from modeldiff.results.drilldown import run_drill_down
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.drilldowns.registry import drill_down_kind
from modeldiff.results.jobs.throughput import Pace

JobState = Literal["queued", "opening", "waiting", "measuring", "done", "failed", "cancelled"]
_ACTIVE: tuple[JobState, ...] = ("queued", "opening", "waiting", "measuring")
_Request = tuple[str, str, LayerMatching, DrillDown | None]
"""Base's and target's reference, how layers meet, and the drill-down into a pair; None for all of
the diff."""

LARGE_DIFF = 1 << 30
"""Bytes of a pair (download and both sides' weights) from which its diff waits for other large
ones only: a pair of some megabytes does not stand behind one of some hundred gigabytes."""
_MOST_QUEUED = 100
"""Jobs that wait in one queue; whoever asks for one more is told to come back."""
_KEPT_JOBS = 50
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSnapshot:
    """A job at one moment.

    ``state``: ``queued`` behind other jobs, ``opening`` again what changed meanwhile, ``waiting``
    for another process that measures the same pair, ``measuring`` (or downloading, see
    ``progress.phase``), then ``done``, ``failed`` or ``cancelled``. ``elapsed`` is seconds since it
    was begun, queue not counted. ``key`` is known once it is begun; when ``done``,
    ``load_result(key)`` is the result. ``changes`` are the rows finished so far; jobs that are over
    let go of theirs once another one is over. A job with a ``drill_down`` is no diff but a
    drill-down into one pair: it has no rows, and ``load_drill_down(key, drill_down)`` is its
    result. ``alignment`` is how the layers of its rows meet.
    """

    id: str
    base_reference: str
    target_reference: str
    device: str
    state: JobState
    progress: Progress | None
    bytes_per_second: float | None
    seconds_left: float | None
    elapsed: float
    key: str | None
    error: ModeldiffError | None
    changes: tuple[Change, ...]
    drill_down: DrillDown | None = None
    alignment: Alignment = BY_POSITION

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.state in _ACTIVE


class _Job:
    """A job as the worker sees it. Everything here changes under the manager's lock only."""

    def __init__(self, comparison: Comparison, device: str, drill_down: DrillDown | None) -> None:
        self.id = uuid.uuid4().hex
        self.comparison: Comparison | None = comparison
        self.references, self.device, self.drill_down = comparison.references, device, drill_down
        self.layers, self.alignment = comparison.layers, comparison.alignment
        self.lane = _lane(comparison, drill_down)
        self.state: JobState = "queued"
        self.progress: Progress | None = None
        self.pace = Pace()
        self.started: float | None = None
        self.ended: float | None = None
        self.key: str | None = None
        self.error: ModeldiffError | None = None
        self.rows: list[Change] = []
        self.stop = False
        self.asked_by, self.asked = current_request(), time.monotonic()
        self._seen: tuple[Change, ...] = ()

    @property
    def active(self) -> bool:
        """Whether asking the same again would join it."""
        return self.ended is None and not self.stop

    @property
    def read(self) -> int:
        """Bytes that were read for it by now."""
        progress = self.progress
        return 0 if progress is None else progress.bytes_done - progress.resumed_bytes

    @property
    def request(self) -> _Request:
        """What is asked for, wherever it is computed."""
        return *self.references, self.layers, self.drill_down

    def snapshot(self) -> JobSnapshot:
        now = time.monotonic()
        if len(self._seen) != len(self.rows):
            self._seen = tuple(self.rows)
        measuring = self.state == "measuring"
        base, target = self.references
        return JobSnapshot(
            id=self.id,
            base_reference=base,
            target_reference=target,
            device=self.device,
            state=self.state,
            progress=self.progress,
            bytes_per_second=self.pace.bytes_per_second(now) if measuring else None,
            seconds_left=self.pace.seconds_left(now) if measuring else None,
            elapsed=0.0 if self.started is None else (self.ended or now) - self.started,
            key=self.key,
            error=self.error,
            changes=self._seen,
            drill_down=self.drill_down,
            alignment=self.alignment,
        )

    def report(self, progress: Progress) -> None:
        self.state = "waiting" if progress.phase == "waiting" else "measuring"
        self.progress = progress
        self.pace.update(progress, time.monotonic())

    def forget(self) -> None:
        """Let go of what is large."""
        self.comparison, self.rows, self._seen = None, [], ()


def _lane(comparison: Comparison, drill_down: DrillDown | None) -> str:
    if drill_down is not None:
        return drill_down_kind(drill_down.kind).lane
    large = comparison.nbytes + comparison.bytes_away >= LARGE_DIFF
    return "large diffs" if large else "small diffs"


class JobManager:
    """Queues, and for each the daemon thread that works on it, started with its first job.

    What takes a second or two waits neither for a large diff to end nor for a drill-down that takes
    half a minute: small diffs have a queue, large ones have one, and so has each lane of
    drill-downs.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._queues: defaultdict[str, deque[_Job]] = defaultdict(deque)
        self._threads: dict[str, threading.Thread] = {}
        self._jobs: dict[str, _Job] = {}  # oldest first

    def submit(
        self,
        comparison: Comparison,
        *,
        device: str = "auto",
        drill_down: DrillDown | None = None,
    ) -> JobSnapshot:
        """Ask for a diff, or for a drill-down into one of its pairs, or join the job that is
        already on it. Raises ``InvalidOption`` for a drill-down of an unknown kind, and
        ``ResultError`` where too many wait."""
        job = _Job(comparison, device, drill_down)
        with self._condition:
            for other in self._jobs_for(job.request):
                if other.active and other.device == device:
                    return other.snapshot()
            if len(self._queues[job.lane]) >= _MOST_QUEUED:
                raise ResultError(
                    f"{_MOST_QUEUED} other jobs wait to be done, and no more can be taken.",
                    hint="Try again in some minutes.",
                )
            self._jobs[job.id] = job
            if job.lane not in self._threads:
                # A daemon: a server that is told to stop does not wait for a diff to end, and the
                # journal keeps what was measured.
                self._threads[job.lane] = threading.Thread(
                    target=self._work, args=(job.lane,), name=f"modeldiff {job.lane}", daemon=True
                )
                self._threads[job.lane].start()
            self._queues[job.lane].append(job)
            self._condition.notify_all()
            return job.snapshot()

    def job(self, job_id: str) -> JobSnapshot | None:
        """The job with this id; None if there is none or it was long ago."""
        with self._condition:
            job = self._jobs.get(job_id)
            return job.snapshot() if job else None

    def find(
        self, comparison: Comparison, *, drill_down: DrillDown | None = None
    ) -> JobSnapshot | None:
        """The newest job for this diff or drill-down, on whatever device; None if there is none."""
        with self._condition:
            request = (*comparison.references, comparison.layers, drill_down)
            job = next(self._jobs_for(request), None)
            return job.snapshot() if job else None

    def active_counts(self) -> Counter[tuple[str, JobState]]:
        """How many jobs wait or are worked on, by lane and state."""
        with self._condition:
            return Counter(
                (job.lane, job.state) for job in self._jobs.values() if job.ended is None
            )

    def cancel(self, job_id: str) -> None:
        """Stop a job: at once if it is queued, else as soon as it next reports. One that is over,
        or unknown, is left as it is."""
        with self._condition:
            job = self._jobs.get(job_id)
            if job is None or job.ended is not None:
                return
            job.stop = True
            if job.state == "queued":
                self._queues[job.lane].remove(job)
                self._end(job, "cancelled")

    def _jobs_for(self, request: _Request) -> Iterator[_Job]:
        """The jobs for this request, newest first."""
        return (job for job in reversed(self._jobs.values()) if job.request == request)

    def _work(self, lane: str) -> None:
        with self._condition:
            queue = self._queues[lane]
        while True:
            with self._condition:
                self._condition.wait_for(lambda: queue)
                job = queue.popleft()
                job.state, job.started = "opening", time.monotonic()
            with working_for(job.asked_by):
                job_began(job.id, lane, job.references, job.started - job.asked)
                state, error = self._outcome(job)
                with self._condition:
                    self._end(job, state, error)
                job_ended(job.id, lane, state, time.monotonic() - job.started, job.read, error)

    def _outcome(self, job: _Job) -> tuple[JobState, ModeldiffError | None]:
        try:
            self._run(job)
        except Cancelled:
            return "cancelled", None
        except ModeldiffError as error:
            return "failed", error
        except Exception as error:
            what = "diff" if job.drill_down is None else f"closer look ({job.drill_down})"
            _log.exception("The %s of %s and %s failed", what, *job.references)
            return "failed", ModeldiffError(
                f"The {what.partition(' (')[0]} stopped at an error that was not foreseen: "
                f"{type(error).__name__}: {error}",
                hint="Please report it, with the lines that the log has about it.",
            )
        return "done", None

    def _run(self, job: _Job) -> None:
        def on_progress(progress: Progress) -> None:
            with self._unless_stopped(job):
                job.report(progress)

        def on_change(change: Change) -> None:
            with self._unless_stopped(job):
                job.rows.append(change)

        def on_alignment(alignment: Alignment) -> None:
            with self._unless_stopped(job):
                job.alignment, job.rows = alignment, []

        assert job.comparison is not None, "it is let go of only when the job is over"
        # It may have waited for long: what was opened when it was asked may be another file now.
        comparison = job.comparison.reopened()
        with self._unless_stopped(job):
            job.key = comparison.key
        if job.drill_down is not None:
            run_drill_down(comparison, job.drill_down, device=job.device, progress=on_progress)
            return
        result = run_diff(
            comparison,
            device=job.device,
            progress=on_progress,
            on_change=on_change,
            on_alignment=on_alignment,
        )
        with self._condition:
            job.rows = list(result.changes)

    @contextmanager
    def _unless_stopped(self, job: _Job) -> Iterator[None]:
        """The lock, to change ``job``. Raises ``Cancelled`` if somebody stopped it."""
        with self._condition:
            if job.stop:
                raise Cancelled("Somebody stopped it.")
            yield

    def _end(self, job: _Job, state: JobState, error: ModeldiffError | None = None) -> None:
        job.state, job.error, job.ended = state, error, time.monotonic()
        alike = (each for each in self._jobs.values() if each.lane == job.lane)
        over = [each for each in alike if each.ended is not None and each is not job]
        for each in over:
            each.forget()
        for each in over[: max(0, len(over) + 1 - _KEPT_JOBS)]:
            del self._jobs[each.id]


_manager = JobManager()
submit = _manager.submit
find = _manager.find
cancel = _manager.cancel
active_counts = _manager.active_counts
