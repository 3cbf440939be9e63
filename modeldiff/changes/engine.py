"""Walks the pairs in file order, several threads at once, and yields their changes."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from modeldiff.changes.benches import Bench, Workshop, workshop_for
from modeldiff.changes.change import Change, Pair, Progress
from modeldiff.changes.reading import OpenFiles, TensorUnreadable
from modeldiff.changes.sampling import CLUSTER, cluster_starts
from modeldiff.changes.tally import MedianSearch, Unsettled
from modeldiff.changes.tasks import Job, Piece, Task, chunks, cut, sort_out
from modeldiff.checkpoints import Checkpoint, StoredType, TensorInfo
from modeldiff.errors import Cancelled

_REPORT_SECONDS = 0.1
"""How often progress is reported."""

ReportProgress = Callable[[Progress], None]


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
    return walk(pairs, base, target, workshop_for(device), progress)


def walk(
    pairs: Sequence[Pair],
    base: Checkpoint,
    target: Checkpoint,
    workshop: Workshop,
    progress: ReportProgress | None = None,
) -> Generator[Change, None, None]:
    """``measure`` in a workshop of one's own: how many threads and how large its chunks are
    changes nothing of what comes out."""
    return _Walk(pairs, base, target, workshop, progress).changes()


class _Walk:
    """One walk over the pairs: a thread that fetches files, threads that read and measure, and
    the caller's own, which reports and hands out what is ready."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        base: Checkpoint,
        target: Checkpoint,
        workshop: Workshop,
        progress: ReportProgress | None,
    ) -> None:
        self._count = len(pairs)
        self._workshop = workshop
        self._progress = progress
        self._tasks, self._ready = sort_out(pairs)
        self._base = OpenFiles(base, [task.base for task in self._tasks])
        self._target = OpenFiles(target, [task.target for task in self._tasks])
        self._results: queue.SimpleQueue[tuple[int, Change] | BaseException] = queue.SimpleQueue()
        # The condition guards all below; it is notified when there may be more to do, or nothing.
        self._state = threading.Condition()
        self._jobs = cut(self._tasks, workshop.chunk_elements)
        self._next: Job | None = None
        self._urgent: deque[Job] = deque()
        self._unfinished = len(self._tasks)
        self._stopping = False
        self._bytes_done = 0
        self._bytes_total = sum(task.pair.nbytes for task in self._tasks)
        self._fetch_done = self._fetch_total = 0
        self._current = ""

    def changes(self) -> Generator[Change, None, None]:
        """The changes in order; the threads live while it is iterated."""
        acts = [self._fetch, *[self._work] * self._workshop.threads] if self._tasks else []
        threads = [threading.Thread(target=self._guarded, args=(act,), daemon=True) for act in acts]
        try:
            for thread in threads:
                thread.start()
            yield from self._in_order()
        finally:
            self._stop()
            for thread in threads:
                thread.join()
            self._base.close()
            self._target.close()

    def _in_order(self) -> Iterator[Change]:
        due = 0.0
        for index in range(self._count):
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
                    self._ready[result[0]] = result[1]
            yield self._ready.pop(index)
        self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        tasks = len(self._tasks)
        with self._state:
            if self._fetch_done < self._fetch_total:
                report = Progress("fetching", self._fetch_done, self._fetch_total, 0, tasks)
            else:
                done = tasks - self._unfinished
                report = Progress("measuring", self._bytes_done, self._bytes_total, done, tasks)
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
        """Brings all files here, in the order in which they are read."""
        both_sides = [[(side, file) for file in side.names] for side in (self._base, self._target)]
        wanted = [entry for entries in zip_longest(*both_sides) for entry in entries if entry]
        missing = [side.missing_bytes(file) for side, file in wanted]
        self._fetch_total = sum(missing)
        before = 0

        def follow(here: int, _: int) -> None:
            if self._stopping:
                raise Cancelled("The comparison was stopped while its files were fetched.")
            self._fetch_done = before + here

        for (side, file), size in zip(wanted, missing, strict=True):
            if size:
                self._current = file
            side.fetch(file, follow if size else None)
            before += size
            with self._state:
                self._fetch_done = before
                self._state.notify_all()

    def _work(self) -> None:
        """Takes jobs and does them until there are none."""
        self._current = self._workshop.preparation()
        bench = self._workshop.bench()
        try:
            while job := self._next_job():
                for piece in job:
                    if self._stopping:
                        break
                    self._do(bench, piece)
        finally:
            bench.close()

    def _next_job(self) -> Job:
        """The next pieces whose files are here; none when all is done or to be stopped."""
        with self._state:
            while self._unfinished and not self._stopping:
                if self._urgent:
                    return self._urgent.popleft()
                if self._next is None:
                    self._next = next(self._jobs, None)
                if self._next is not None and self._is_here(self._next):
                    job, self._next = self._next, None
                    return job
                self._state.wait()
        return []

    def _is_here(self, job: Job) -> bool:
        return all(
            self._base.is_fetched(piece.task.base) and self._target.is_fetched(piece.task.target)
            for piece in job
        )

    def _do(self, bench: Bench, piece: Piece) -> None:
        """Reads and measures a piece; with the last one of a pass, goes on with the task."""
        task = piece.task
        if piece.is_sample:
            self._sample(bench, task)
            return
        self._current = task.base.name
        n = piece.stop - piece.start
        whole = None
        try:
            if not task.trouble:
                self._read(bench, piece)
                if task.tally is None:
                    whole = bench.measure_whole(task.types, n)
                elif task.search is None:
                    task.sampled.wait()
                    bench.measure_part(task.types, n, task.tally, piece.start)
                else:
                    bench.refine(task.types, n, task.search)
        except TensorUnreadable as error:
            task.trouble = str(error)
        with task.lock:
            task.left -= 1
            last = task.left == 0
        if whole is not None:
            self._finish(task, Change(task.pair, whole))
        elif last:
            self._go_on(task)

    def _sample(self, bench: Bench, task: Task) -> None:
        """Gives a large task's tally its bracket. Whatever happens, its chunks may go on then."""
        try:
            starts = cluster_starts(task.elements)
            for files, tensor, stored, buffer in self._sides(bench, task):
                width = CLUSTER * stored.bits // 8
                for number, start in enumerate(starts):
                    cluster = buffer[number * width : (number + 1) * width]
                    files.read(tensor, start * stored.bits // 8, cluster)
            if task.tally is not None:
                task.tally.bracket = bench.bracket(task.types)
        except TensorUnreadable as error:
            task.trouble = str(error)
        finally:
            task.sampled.set()

    def _sides(
        self, bench: Bench, task: Task
    ) -> tuple[tuple[OpenFiles, TensorInfo, StoredType, npt.NDArray[np.uint8]], ...]:
        return (
            (self._base, task.base, task.types.base, bench.base),
            (self._target, task.target, task.types.target, bench.target),
        )

    def _read(self, bench: Bench, piece: Piece) -> None:
        """Fills the bench's buffers."""
        task = piece.task
        read = 0
        for files, tensor, stored, buffer in self._sides(bench, task):
            start, stop = piece.start * stored.bits // 8, piece.stop * stored.bits // 8
            files.read(tensor, start, buffer[: stop - start])
            read += stop - start
        if task.search is None:
            with self._state:
                self._bytes_done += read

    def _go_on(self, task: Task) -> None:
        """After a pass: finishes the task or queues its next pass."""
        if task.trouble or task.tally is None:
            pair = replace(task.pair, status="unreadable", reason=task.trouble)
            self._finish(task, Change(pair))
            return
        median = task.search.narrow() if task.search else task.tally.find_median()
        if isinstance(median, Unsettled):
            task.search = MedianSearch(median)
            passes = chunks(task, self._workshop.chunk_elements)
            with self._state:
                self._urgent.extend(passes)
                self._state.notify_all()
            return
        self._finish(task, Change(task.pair, task.tally.statistics(median)))

    def _finish(self, task: Task, change: Change) -> None:
        self._base.done(task.base)
        self._target.done(task.target)
        task.tally = task.search = None
        self._results.put((task.index, change))
        with self._state:
            self._unfinished -= 1
            if not self._unfinished:
                self._state.notify_all()
