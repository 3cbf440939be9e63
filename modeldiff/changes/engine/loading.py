"""Fills a worker's buffers with what a job is about, from both checkpoints' files."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.backend import Worker
from modeldiff.changes.backends.median_bracket import CLUSTER, cluster_starts
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.engine.work_units import Task
from modeldiff.checkpoints import STORED_TYPES, TensorInfo

Buffer = npt.NDArray[np.uint8]


class Loader:
    """Fills one worker's buffers. Base's keeps what it was filled with: where the next target needs
    the same, it is not read again."""

    def __init__(self, worker: Worker, base: OpenFiles, targets: Sequence[OpenFiles]) -> None:
        self._worker = worker
        self._base = base
        self._targets = targets
        self._kept: Hashable = None

    def chunk(self, task: Task, start: int, stop: int) -> None:
        """Elements ``start`` to ``stop`` of a task's tensors: their values, or the codes that the
        worker decodes itself."""
        kinds = self._worker.decodes(task.types) if start < stop else frozenset()

        def fill(number: int, files: OpenFiles, tensor: TensorInfo, buffer: Buffer) -> None:
            codes = files.read_codes(tensor, start, stop, buffer, kinds) if kinds else None
            if codes is not None:
                self._worker.hold_codes(number, codes)
                return
            bits = STORED_TYPES[tensor.values].bits
            files.fill(tensor, start, buffer[: stop * bits // 8 - start * bits // 8])

        self._fill_base(
            (task.base, start, stop, kinds),
            lambda: fill(0, self._base, task.base, self._worker.base),
        )
        fill(1, self._targets[task.side], task.target, self._worker.target)

    def sample(self, task: Task) -> None:
        """The clusters of a task's sample, one after the other."""
        starts = cluster_starts(task.sampled, task.grain)
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
