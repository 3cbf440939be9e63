"""Fills a worker's buffers with what a job is about, from both checkpoints' files."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from modeldiff.changes.backends.backend import Worker
from modeldiff.changes.backends.median_bracket import CLUSTER, cluster_starts
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.engine.work_units import Task


class Loader:
    """Fills one worker's buffers. Base's keeps what it was filled with: where the next target needs
    the same, it is not read again."""

    def __init__(self, worker: Worker, base: OpenFiles, targets: Sequence[OpenFiles]) -> None:
        self._worker = worker
        self._base = base
        self._targets = targets
        self._kept: Hashable = None

    def chunk(self, task: Task, start: int, stop: int) -> None:
        """Elements ``start`` to ``stop`` of a task's tensors."""
        base, target = (
            stop * stored.bits // 8 - start * stored.bits // 8
            for stored in (task.types.base, task.types.target)
        )
        self._fill_base(
            (task.base, start, stop),
            lambda: self._base.fill(task.base, start, self._worker.base[:base]),
        )
        self._targets[task.side].fill(task.target, start, self._worker.target[:target])

    def sample(self, task: Task) -> None:
        """The clusters of a task's sample, one after the other."""
        starts = cluster_starts(task.elements, task.grain)
        base, target = (
            len(starts) * CLUSTER * stored.bits // 8
            for stored in (task.types.base, task.types.target)
        )
        self._fill_base(
            (task.base, *starts),
            lambda: self._base.fill_clusters(task.base, starts, self._worker.base[:base]),
        )
        side = self._targets[task.side]
        side.fill_clusters(task.target, starts, self._worker.target[:target])

    def batch(self, tasks: Sequence[Task]) -> None:
        """Several tasks' tensors, one after the other."""
        tensors = tuple(task.base for task in tasks)
        self._fill_base(tensors, lambda: self._base.fill_all(tensors, self._worker.base))
        side = self._targets[tasks[0].side]
        side.fill_all([task.target for task in tasks], self._worker.target)

    def _fill_base(self, wanted: Hashable, fill: Callable[[], None]) -> None:
        if wanted == self._kept:
            return
        self._kept = None
        fill()
        self._kept = wanted
