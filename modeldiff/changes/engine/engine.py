"""Walks the pairs in file order, several threads at once, and yields their changes."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from modeldiff.changes.backends.accumulator import MedianSearch, PartialMedian
from modeldiff.changes.backends.backend import Backend, Worker
from modeldiff.changes.backends.select import backend_for
from modeldiff.changes.change import Change, Pair, Progress, ReportProgress
from modeldiff.changes.engine.fetching import Fetching
from modeldiff.changes.engine.loading import Loader
from modeldiff.changes.engine.tensor_files import OpenFiles, physical_memory
from modeldiff.changes.engine.work_units import (
    Chunk,
    Jobs,
    Passes,
    Sample,
    Task,
    Whole,
    beside_each_other,
    chunk_spans,
    chunks,
    plan_jobs,
    sort_out,
    unreadable,
)
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.checkpoints.tensor import TensorUnreadable

_REPORT_SECONDS = 0.1
"""How often progress is reported."""
_KEPT_SHARE = 0.75
"""A pair that is larger than this share of memory cannot stay in the page cache until it is read
again; to make room for it costs more than half of the time of reading it, and everything else in
there."""


def measure(
    pairs: Sequence[Pair],
    base: Checkpoint,
    target: Checkpoint,
    *,
    device: str = "auto",
    progress: ReportProgress | None = None,
) -> Generator[Change, None, None]:
    """One change for every pair given, in the order given, as they become ready.

    Pairs that are not ``compared`` come without statistics. A pair whose bytes cannot be read, or
    whose stored types have nothing to do with each other, comes as ``unreadable`` with the reason.
    ``progress`` is called from the thread that takes the changes, several times a second; it may
    raise ``Cancelled``. Bytes are counted over the given pairs. Threads and open files are gone
    when the iterator is exhausted, closed or has raised.

    Raises ``InvalidOption`` (at once) for a device that is not here; while it is iterated
    ``CheckpointChanged`` when a file is not what was opened, and what fetching raises.
    """
    return walk(pairs, base, target, backend_for(device), progress)


def walk(
    pairs: Sequence[Pair],
    base: Checkpoint,
    target: Checkpoint,
    backend: Backend,
    progress: ReportProgress | None = None,
) -> Generator[Change, None, None]:
    """``measure`` in a backend of one's own: how many threads and how large its chunks are
    changes nothing of what comes out."""
    changes = _Walk(base, [(target, pairs)], backend, progress).changes()
    try:
        for _, change in changes:
            yield change
    finally:
        changes.close()


def measure_together(
    base: Checkpoint,
    targets: Sequence[tuple[Checkpoint, Sequence[Pair]]],
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: ReportProgress | None = None,
) -> Generator[tuple[int, Change], None, None]:
    """``measure`` for several targets of one ``base``, each with its pairs: what several need of
    base is read once. One change for every pair, with its target's number.

    Pairs with the same tensor of base come together, in the first target's order. ``progress``
    counts base's bytes once where they are read once. Each target takes memory for its largest
    tensor's histogram and sums; buffers are those of one. ``threads`` is how many the CPU takes, by
    default one for each core. Raises as ``measure`` does.
    """
    return _Walk(base, targets, backend_for(device, threads), progress).changes()


class _Walk:
    """One walk over the pairs: a thread that fetches files, threads that read and measure, and
    the caller's own, which reports and hands out what is ready."""

    def __init__(
        self,
        base: Checkpoint,
        targets: Sequence[tuple[Checkpoint, Sequence[Pair]]],
        backend: Backend,
        progress: ReportProgress | None,
    ) -> None:
        pairs = beside_each_other([pairs for _, pairs in targets])
        self._sides = [side for side, _ in pairs]
        self._backend = backend
        self._progress = progress
        self._tasks, self._ready = sort_out(pairs)
        self._bytes_done = 0
        self._bytes_total = sum(task.nbytes for task in self._tasks)
        evict_page_cache = self._bytes_total > _KEPT_SHARE * physical_memory()
        self._base = OpenFiles(
            base, [task.base for task in self._tasks], evict_page_cache=evict_page_cache
        )
        tensors: list[list[TensorInfo]] = [[] for _ in targets]
        for task in self._tasks:
            tensors[task.side].append(task.target)
        self._targets = [
            OpenFiles(target, own, evict_page_cache=evict_page_cache)
            for (target, _), own in zip(targets, tensors, strict=True)
        ]
        self._results: queue.SimpleQueue[dict[int, Change] | BaseException] = queue.SimpleQueue()
        # The condition guards all below; it is notified when there may be more to do, or nothing.
        self._state = threading.Condition()
        self._jobs = plan_jobs(self._tasks, backend)
        self._next: Jobs | None = None
        self._urgent: deque[Jobs] = deque()
        self._unfinished = len(self._tasks)
        self._stopping = False
        self._fetching = Fetching(self._base, *self._targets)
        self._current = ""

    def changes(self) -> Generator[tuple[int, Change], None, None]:
        """The changes in order, each with its target's number; the threads live while it is
        iterated."""
        acts = [self._fetch, *[self._work] * self._backend.threads] if self._tasks else []
        threads = [threading.Thread(target=self._guarded, args=(act,), daemon=True) for act in acts]
        try:
            for thread in threads:
                thread.start()
            yield from self._in_order()
        finally:
            self._stop()
            for thread in threads:
                if thread.ident is not None:  # the system may have refused to start it
                    thread.join()
            for files in (self._base, *self._targets):
                files.close()

    def _in_order(self) -> Iterator[tuple[int, Change]]:
        due = 0.0
        for index, side in enumerate(self._sides):
            while True:
                if time.monotonic() >= due:
                    self._report()
                    due = time.monotonic() + _REPORT_SECONDS
                if index in self._ready:
                    break
                with contextlib.suppress(queue.Empty):
                    result = self._results.get(timeout=max(due - time.monotonic(), 0.0))
                    if isinstance(result, BaseException):
                        raise result
                    self._ready |= result
            yield side, self._ready.pop(index)
        self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        tasks = len(self._tasks)
        with self._state:
            done = tasks - self._unfinished
            read = self._bytes_done
        fetching = self._fetching
        if fetching.going_on:
            report = Progress("fetching", fetching.done, fetching.total, done, tasks)
            self._progress(replace(report, current=fetching.file))
        else:
            report = Progress("measuring", read, self._bytes_total, done, tasks)
            self._progress(replace(report, current=self._current))

    def _stop(self) -> None:
        with self._state:
            self._stopping = True
            self._state.notify_all()

    def _guarded(self, act: Callable[[], None]) -> None:
        """Runs a thread's act; what it raises is raised again by ``changes``."""
        try:
            act()
        except BaseException as error:
            self._results.put(error)
            self._stop()

    def _fetch(self) -> None:
        self._fetching.bring(lambda: self._stopping, self._wake)

    def _wake(self) -> None:
        with self._state:
            self._state.notify_all()

    def _work(self) -> None:
        """Takes jobs and does them until there are none."""
        worker = self._backend.worker()
        loader = Loader(worker, self._base, self._targets)
        try:
            while (jobs := self._next_jobs(worker)) is not None:
                self._current = jobs[0].tasks[0].base.name
                for job in jobs:
                    if isinstance(job, Whole):
                        self._do_whole(worker, loader, job)
                    elif isinstance(job, Sample):
                        self._do_sample(worker, loader, job)
                    else:
                        self._do_chunk(worker, loader, job)
        finally:
            worker.close()

    def _next_jobs(self, worker: Worker) -> Jobs | None:
        """The next jobs whose files are here; none when all is done or to be stopped. What the
        worker has under way is finished before it waits: it may be all that is left to wait for."""
        with self._state:
            if (jobs := self._take_jobs()) is not None:
                return jobs
        worker.finish()
        with self._state:
            while self._unfinished and not self._stopping:
                if (jobs := self._take_jobs()) is not None:
                    return jobs
                self._state.wait()
        return None

    def _take_jobs(self) -> Jobs | None:
        """The next jobs, if there are some whose files are here."""
        if self._stopping or not self._unfinished:
            return None
        if self._urgent:
            return self._urgent.popleft()
        if self._next is None:
            self._next = next(self._jobs, None)
        if self._next is not None and self._is_here(self._next):
            jobs, self._next = self._next, None
            return jobs
        return None

    def _is_here(self, jobs: Jobs) -> bool:
        return all(
            self._base.is_fetched(task.base) and self._targets[task.side].is_fetched(task.target)
            for job in jobs
            for task in job.tasks
        )

    def _do_whole(self, worker: Worker, loader: Loader, job: Whole) -> None:
        """Measures tensors from beginning to end. If one of several cannot be read, each is
        tried on its own."""
        types = job.tasks[0].types
        sizes = [task.elements for task in job.tasks]
        try:
            if job.batch:
                loader.batch(job.tasks)
                results = worker.measure_batch(types, sizes)
            else:
                (elements,) = sizes
                loader.chunk(job.tasks[0], 0, elements)
                results = [worker.measure_whole(types, elements)]
            loader.confirm()
        except TensorUnreadable as error:
            if len(job.tasks) > 1:
                for task in job.tasks:
                    self._do_whole(worker, loader, Whole((task,), job.batch))
                return
            changes = [unreadable(job.tasks[0].pair, str(error))]
        else:
            changes = [
                Change(task.pair, statistics)
                for task, statistics in zip(job.tasks, results, strict=True)
            ]
        self._count_bytes(sum(task.nbytes for task in job.tasks))
        self._finish(list(zip(job.tasks, changes, strict=True)))

    def _do_sample(self, worker: Worker, loader: Loader, job: Sample) -> None:
        """Gives a large task's accumulator its bracket. Whatever happens, its chunks may go on
        then."""
        try:
            loader.sample(job.task)
            job.passes.accumulator.bracket = worker.bracket(job.task.types)
        except TensorUnreadable as error:
            job.passes.trouble = str(error)
        finally:
            job.passes.sampled.set()

    def _do_chunk(self, worker: Worker, loader: Loader, job: Chunk) -> None:
        """Measures a chunk, or looks in it for the median."""
        task, passes, n = job.task, job.passes, job.stop - job.start
        try:
            if not passes.trouble:
                loader.chunk(task, job.start, job.stop)
                passes.sampled.wait()
                if passes.search is None:
                    worker.measure_part(task.types, n, passes.accumulator, job.start)
                else:
                    worker.refine(task.types, n, passes.search)
                loader.confirm()
        except TensorUnreadable as error:
            passes.trouble = str(error)
        worker.after(lambda: self._chunk_done(job))

    def _chunk_done(self, job: Chunk) -> None:
        """After a chunk: the last of a pass goes on with the task."""
        task, passes = job.task, job.passes
        if passes.search is None:
            self._count_bytes(task.bytes_before(job.stop) - task.bytes_before(job.start))
        with passes.lock:
            passes.left -= 1
            if passes.left:
                return
        self._go_on(task, passes)

    def _go_on(self, task: Task, passes: Passes) -> None:
        """After a pass: finishes the task or queues its next pass."""
        if passes.trouble:
            self._finish([(task, unreadable(task.pair, passes.trouble))])
            return
        median = passes.search.narrow() if passes.search else passes.accumulator.find_median()
        if isinstance(median, PartialMedian):
            passes.search = MedianSearch(median)
            with self._state:
                spans = chunk_spans((task,), self._backend.chunk_elements(task.types))
                self._urgent.extend((chunk,) for chunk in chunks(task, passes, spans))
                self._state.notify_all()
            return
        self._finish([(task, Change(task.pair, passes.accumulator.statistics(median)))])

    def _count_bytes(self, nbytes: int) -> None:
        with self._state:
            self._bytes_done += nbytes

    def _finish(self, finished: list[tuple[Task, Change]]) -> None:
        for task, _ in finished:
            self._base.done(task.base)
            self._targets[task.side].done(task.target)
            task.passes = None
        # Counted first: whoever takes the last change reports at once that all is done.
        with self._state:
            self._unfinished -= len(finished)
            if not self._unfinished:
                self._state.notify_all()
        self._results.put({task.index: change for task, change in finished})
