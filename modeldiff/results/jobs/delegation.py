"""Jobs that the measuring process does (``modeldiff worker``), asked for by files and followed.

The status file says how far it is, and the journal of the diff what was measured. A process of the
app that ends takes nothing back: who comes back to the next one finds the request and follows it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from modeldiff.changes import Change
from modeldiff.errors import ModeldiffError
from modeldiff.results.jobs.asker import Asker
from modeldiff.results.jobs.job import BackgroundJob
from modeldiff.results.jobs.lanes import EndJob, unforeseen
from modeldiff.results.jobs.queue_folder import (
    QueuedRequest,
    QueuedStatus,
    delete_request,
    queue_folder,
    read_requests,
    read_status,
    renew_request,
    worker_lock,
    write_request,
)
from modeldiff.results.store.folder import results_folder
from modeldiff.results.store.journal import JournalTail, journal_path
from modeldiff.results.store.lock import is_held
from modeldiff.results.tailing import TailedRows

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_RENEWALS = 30.0


class Delegation:
    """Requests in the queue folder of this process' cache, and a daemon thread that looks what
    became of them, started with the first one.

    ``condition`` is the lock under which jobs change, ``clock`` gives seconds, and ``end`` is told
    of each job that is over. The public methods are called under the lock.
    """

    def __init__(
        self, condition: threading.Condition, clock: Callable[[], float], end: EndJob
    ) -> None:
        self._condition, self._clock, self._end = condition, clock, end
        self._followed: dict[str, _Followed] = {}
        self._thread: threading.Thread | None = None

    def begin(self, job: BackgroundJob) -> None:
        """Ask for ``job``."""
        self._followed[job.id] = _Followed(job)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._follow, name="modeldiff delegation", daemon=True
            )
            self._thread.start()
        self._condition.notify_all()

    def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
        """Take back the request of ``job``, unless this process is ``closing``: others go on."""
        followed = self._followed.pop(job.id)
        if not closing:
            followed.withdrawn = True
            followed.take_back()
        return True

    def refresh(self, job: BackgroundJob) -> None:
        """Nothing: the thread does."""

    def is_under_way(self, job: BackgroundJob) -> bool:
        """Whether there is a request in the folder for what ``job`` is."""
        requests = read_requests(queue_folder()).values()
        return any(
            isinstance(each, QueuedRequest) and each.request == job.request for each in requests
        )

    def _follow(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._followed)
                followed = list(self._followed.values())
            attended = is_held(worker_lock(queue_folder()))
            for each in followed:
                self._look(each, attended)
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _look(self, followed: _Followed, attended: bool) -> None:
        error: ModeldiffError | None = None
        try:
            followed.look()
        except ModeldiffError as caught:
            error = caught
        except Exception as caught:
            error = unforeseen(followed.job, caught)
        with self._condition:
            job = followed.job
            if job.id not in self._followed:
                if followed.withdrawn:  # while it was written, perhaps
                    followed.take_back()
                return
            status = followed.status
            if error is None and status is not None and status.state in ("failed", "cancelled"):
                error = status.error
            elif error is None and (status is None or status.state != "done"):
                followed.show(attended, self._clock())
                return
            del self._followed[job.id]
            is_done = error is None and status is not None and status.state == "done"
            self._end(job, "failed" if error else "done" if is_done else "cancelled", error)
        followed.take_back()


class _Followed:
    """A job and what is known of it by the files."""

    def __init__(self, job: BackgroundJob) -> None:
        assert job.comparison is not None, "it is let go of only when the job is over"
        self.job = job
        self.status: QueuedStatus | None = None
        self.withdrawn = False
        self._comparison = job.comparison
        owner = job.owner or Asker("", job.user)
        self._request = QueuedRequest(job.id, job.request, job.device, owner)
        self._renewed: float | None = None
        self._rows: TailedRows | None = None
        self._new: list[Change] = []

    def look(self) -> None:
        """Ask for it, or say that it is wanted still, and look what became of it. Raises
        ``ResultError`` where the folder can't be written to."""
        folder, now = queue_folder(), time.monotonic()
        if self._renewed is None:
            write_request(folder, self._request)
            self._renewed = now
        elif now - self._renewed >= _SECONDS_BETWEEN_RENEWALS:
            renew_request(folder, self._request.id)
            self._renewed = now
        self.status = read_status(folder, self._request.id)
        key = self.status.key if self.status is not None else None
        if key is None or self.job.drill_down is not None:
            return
        if self._rows is None and key == self._comparison.key:
            tail = JournalTail(journal_path(results_folder(), key), key)
            self._rows = TailedRows(self._comparison.pairs, tail)
        if self._rows is not None:
            self._new += self._rows.new()

    def show(self, attended: bool, now: float) -> None:
        """Let the job say what is known, at the time ``now``; ``attended``: a process measures."""
        status, job = self.status, self.job
        job.rows.update((change.pair.id, change) for change in self._new)
        self._new.clear()
        if not attended or status is None:
            job.state = "queued" if attended else "unattended"
            job.place = None
            return
        job.state, job.key, job.place = status.state, status.key, status.place
        if status.state not in ("queued", "unattended"):
            job.started = now - status.elapsed
        if status.progress is not None and status.state in ("waiting", "measuring"):
            job.report(status.progress, now)

    def take_back(self) -> None:
        """Take back the request."""
        delete_request(queue_folder(), self._request.id)
