"""The process that measures for several of the app: it does what the queue folder asks for.

One at a time holds the lock of the folder. What it was at when it ended lies in the folder and in
journals still, and the next one goes on with it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from modeldiff.changes import available_devices
from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.files.group_folder import make_group_folder
from modeldiff.results.jobs.job import JobSnapshot
from modeldiff.results.jobs.manager import JobManager
from modeldiff.results.jobs.queue_folder import (
    QueuedRequest,
    QueuedStatus,
    delete_request,
    queue_folder,
    read_requests,
    worker_lock,
    write_status,
)
from modeldiff.results.store.folder import cannot_write
from modeldiff.results.store.lock import held_alone

_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_FOR_JOBS = 15.0
_OPENERS = 2
_log = logging.getLogger(__name__)


def work(stop: threading.Event, *, waiting: Callable[[], None], begun: Callable[[], None]) -> None:
    """Do what the queue folder of this cache asks for, until ``stop`` is set; then end what runs,
    and leave what was asked for to the next process.

    ``waiting`` is called again and again while another process does this, ``begun`` once it is this
    one. Raises ``ResultError`` where the folder can't be written to.
    """
    folder = queue_folder()
    try:
        make_group_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with held_alone(worker_lock(folder), waiting):
        begun()
        worker = QueueWorker()
        while not stop.wait(_SECONDS_BETWEEN_LOOKS):
            worker.look()
        if not worker.shut_down(_SECONDS_FOR_JOBS):
            _log.warning("A job did not end in time; its journal holds what was measured.")


class QueueWorker:
    """What this process is at: a job of ``manager`` for each request in the queue folder."""

    def __init__(self, manager: JobManager | None = None) -> None:
        self._manager = manager or JobManager()
        self._opening: dict[str, Future[JobSnapshot]] = {}
        self._written: dict[str, QueuedStatus] = {}
        self._openers = ThreadPoolExecutor(_OPENERS, "modeldiff opening")

    def look(self) -> None:
        """Take what is new, drop what nobody wants any more, and say what became of the rest."""
        folder = queue_folder()
        requests = read_requests(folder)
        for name, request in requests.items():
            if isinstance(request, ModeldiffError):
                self._write(name, QueuedStatus("failed", error=request))
            elif name not in self._opening:
                self._opening[name] = self._openers.submit(self._take, request)
        for name in [each for each in self._opening if each not in requests]:
            # At once, or when it has been taken: it may be on its way.
            self._opening.pop(name).add_done_callback(partial(self._leave, name))
            self._written.pop(name, None)
            delete_request(folder, name)
        self._manager.sweep()
        for name, opening in self._opening.items():
            self._write(name, self._status(opening))

    def shut_down(self, seconds: float) -> bool:
        """End what runs, in some ``seconds`` at most, and say whether all has ended. The requests
        stay."""
        self._openers.shutdown(wait=False, cancel_futures=True)
        return self._manager.shut_down(seconds)

    def _take(self, request: QueuedRequest) -> JobSnapshot:
        base, target, layers, drill_down = request.request
        return self._manager.submit(
            Comparison.open(base, target, layers=layers),
            device=request.device if request.device in available_devices() else "auto",
            drill_down=drill_down,
            asker=request.asker,
        )

    def _leave(self, name: str, opening: Future[JobSnapshot]) -> None:
        del opening
        self._manager.leave(name)

    def _status(self, opening: Future[JobSnapshot]) -> QueuedStatus:
        if not opening.done():
            return QueuedStatus("opening")
        try:
            job = opening.result()
        except ModeldiffError as error:
            return QueuedStatus("failed", error=error)
        except Exception as error:
            _log.exception("A request could not be taken")
            unforeseen = f"An error that was not foreseen: {type(error).__name__}: {error}"
            return QueuedStatus("failed", error=ModeldiffError(unforeseen))
        now = self._manager.job(job.id)
        return QueuedStatus("done", key=job.key) if now is None else QueuedStatus.of(now)

    def _write(self, name: str, status: QueuedStatus) -> None:
        if self._written.get(name) != status:
            self._written[name] = status
            write_status(queue_folder(), name, status)
