"""Jobs measured by this process: lanes in which one is done after the other.

What takes a second or two waits neither for a large diff to end nor for a drill-down that takes
half a minute: small diffs have a lane, large ones have one, and so has each kind of drill-downs
that belong together.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modeldiff.changes.change import Change, Progress
from modeldiff.changes.layer_chains import Alignment
from modeldiff.changes.measurer import Measurer
from modeldiff.errors import Cancelled, ModeldiffError
from modeldiff.observability.events import job_began, job_ended
from modeldiff.observability.request import working_for
from modeldiff.results.diff import run_diff
from modeldiff.results.drilldown import run_drill_down
from modeldiff.results.jobs.fair_queue import FairQueue
from modeldiff.results.jobs.job import LARGE_LANE, BackgroundJob, JobState, QueuePlace
from modeldiff.settings.table import RAY

_log = logging.getLogger(__name__)
EndJob = Callable[[BackgroundJob, JobState, ModeldiffError | None], None]
"""Notes, under the lock, that a job is over, how, and with which error."""


class Lanes:
    """Fair queues, and for each the daemon thread that works on it, started with its first job.

    ``condition`` is the lock under which jobs change, ``clock`` gives seconds, and ``end`` is told
    of each job that is over. All methods are called under the lock.
    """

    def __init__(
        self, condition: threading.Condition, clock: Callable[[], float], end: EndJob
    ) -> None:
        self._condition, self._clock, self._end = condition, clock, end
        self._queues: defaultdict[str, FairQueue] = defaultdict(FairQueue)
        self._threads: dict[str, threading.Thread] = {}
        self._running: dict[str, BackgroundJob] = {}

    def begin(self, job: BackgroundJob) -> None:
        """Let ``job`` wait in its lane."""
        if job.lane not in self._threads:
            # A daemon: a server that is told to stop does not wait for a diff to end, and the
            # journal keeps what was measured.
            self._threads[job.lane] = threading.Thread(
                target=self._work, args=(job.lane,), name=f"modeldiff {job.lane}", daemon=True
            )
            self._threads[job.lane].start()
        job.queued = self._clock()
        self._queues[job.lane].add(job)
        self._condition.notify_all()

    def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
        """Take ``job``, which is to stop, out of its queue, and say whether it was in one. One that
        runs stops as soon as it next reports, also where the process is ``closing``."""
        del closing
        if job.state != "queued":
            return False
        self._queues[job.lane].remove(job)
        return True

    def refresh(self, job: BackgroundJob) -> None:
        """Note where ``job`` stands, if it waits."""
        if job.state != "queued":
            return
        ahead = self._queues[job.lane].ahead_of(job)
        running = self._running.get(job.lane)
        if running is None:
            job.place = QueuePlace(ahead)
            return
        owner = running.owner.name if running.owner else ""
        left = running.pace.seconds_left(self._clock()) if running.state == "measuring" else None
        job.place = QueuePlace(ahead + 1, running.names, owner, left)

    def is_under_way(self, job: BackgroundJob) -> bool:
        """Whether somebody else asked for what ``job`` is: nobody but this process is asked."""
        del job
        return False

    def _work(self, lane: str) -> None:
        with self._condition:
            queue = self._queues[lane]
        while True:
            with self._condition:
                self._condition.wait_for(lambda: len(queue))
                job = self._running[lane] = queue.pop()
                job.state, job.started = "opening", (began := self._clock())
            with working_for(job.asked_by):
                job_began(job.id, lane, job.references, began - job.queued)
                state, error = self._outcome(job)
                nbytes = job.bytes_read
                with self._condition:
                    del self._running[lane]
                    self._end(job, state, error)
                job_ended(job.id, lane, state, self._clock() - began, nbytes, error)

    def _outcome(self, job: BackgroundJob) -> tuple[JobState, ModeldiffError | None]:
        try:
            self._run(job)
        except Cancelled:
            return "cancelled", None
        except ModeldiffError as error:
            return "failed", error
        except Exception as error:
            return "failed", unforeseen(job, error)
        return "done", None

    def _run(self, job: BackgroundJob) -> None:
        def on_progress(progress: Progress) -> None:
            with self._unless_stopped(job):
                job.report(progress, self._clock())

        def on_change(change: Change) -> None:
            with self._unless_stopped(job):
                job.rows[change.pair.id] = change

        def on_alignment(alignment: Alignment) -> None:
            with self._unless_stopped(job):
                job.alignment, job.rows = alignment, {}

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
            measurer=_cluster_for(job),
            progress=on_progress,
            on_change=on_change,
            on_alignment=on_alignment,
        )
        with self._condition:
            job.rows = {change.pair.id: change for change in result.changes}

    @contextmanager
    def _unless_stopped(self, job: BackgroundJob) -> Iterator[None]:
        """The lock, to change ``job``. Raises ``Cancelled`` if somebody stopped it."""
        with self._condition:
            if job.stop:
                raise Cancelled("Somebody stopped it.")
            yield


def _cluster_for(job: BackgroundJob) -> Measurer | None:
    """The cluster, where it is configured and the job is worth the way there; else None."""
    if not RAY.value() or job.lane != LARGE_LANE:
        return None
    from modeldiff.changes.cluster.ray_measurer import RayCluster  # late: most have none

    # Which card of this machine a viewer chose means nothing there, and not each kind has nodes.
    kind = job.device.partition(":")[0]
    return RayCluster.on(kind if kind in ("cuda", "xpu") else "cpu")


def unforeseen(job: BackgroundJob, error: Exception) -> ModeldiffError:
    """What to say of an ``error`` that ended ``job`` and is a mistake of the program; it is logged
    as it is."""
    what = "diff" if job.drill_down is None else f"closer look ({job.drill_down})"
    _log.error("The %s of %s and %s failed", what, *job.references, exc_info=error)
    return ModeldiffError(
        f"The {what.partition(' (')[0]} stopped at an error that was not foreseen: "
        f"{type(error).__name__}: {error}",
        hint="Please report it, with the lines that the log has about it.",
    )
