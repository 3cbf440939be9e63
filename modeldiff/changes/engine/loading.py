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
from modeldiff.checkpoints.local.mapped_file import FileView
from modeldiff.checkpoints.tensor import TensorUnreadable
from modeldiff.processes.late_dataclass import dataclass

Buffer = npt.NDArray[np.uint8]


class Loader:
    """Fills one worker's buffers. Base's keeps what it was filled with: where the next target needs
    the same, it is not read again.

    What the system holds in memory the worker looks at there, if it can: then ``confirm`` says
    afterwards whether it was what the file has.
    """

    def __init__(self, worker: Worker, base: OpenFiles, targets: Sequence[OpenFiles]) -> None:
        self._worker = worker
        self._base = base
        self._targets = targets
        self._kept: Hashable = None
        self._in_place: list[_InPlace | None] = [None, None]

    def chunk(self, task: Task, start: int, stop: int) -> None:
        """Elements ``start`` to ``stop`` of a task's tensors: their values, or the codes that the
        worker decodes itself."""
        kinds = self._worker.decodes(task.types) if start < stop else frozenset()

        def fill(number: int, files: OpenFiles, tensor: TensorInfo) -> None:
            bits = STORED_TYPES[tensor.values].bits
            nbytes = stop * bits // 8 - start * bits // 8
            if self._looked_at(number, files, tensor, start, nbytes):
                return
            buffer = self._buffer(number)
            codes = files.read_codes(tensor, start, stop, buffer, kinds) if kinds else None
            if codes is not None:
                self._worker.hold_codes(number, codes)
                return
            files.fill(tensor, start, buffer[:nbytes])

        self._fill_base((task.base, start, stop, kinds), lambda: fill(0, self._base, task.base))
        fill(1, self._targets[task.side], task.target)

    def sample(self, task: Task) -> None:
        """The clusters of a task's sample, one after the other."""
        starts = cluster_starts(task.sampled, task.grain)
        base, target = (
            len(starts) * CLUSTER * stored.bits // 8
            for stored in (task.types.base, task.types.target)
        )
        self._fill_base(
            (task.base, *starts),
            lambda: self._base.fill_clusters(task.base, starts, self._buffer(0)[:base]),
        )
        side = self._targets[task.side]
        side.fill_clusters(task.target, starts, self._buffer(1)[:target])

    def batch(self, tasks: Sequence[Task]) -> None:
        """Several tasks' tensors, one after the other."""
        tensors = tuple(task.base for task in tasks)
        self._fill_base(tensors, lambda: self._base.fill_all(tensors, self._buffer(0)))
        side = self._targets[tasks[0].side]
        side.fill_all([task.target for task in tasks], self._buffer(1))

    def confirm(self) -> None:
        """After what was loaded was measured: nothing was measured that is not in the files.

        Raises ``CheckpointChanged`` and ``TensorUnreadable`` as ``OpenFiles.fill`` does.
        """
        for number, seen in enumerate(self._in_place):
            if seen is None or seen.view.is_sound():
                continue
            self._kept = None
            # To read it says what is wrong with it, mostly; or that nothing is, where others met
            # errors before it and behind it. A page of zeros stays one for whoever looks again.
            read = self._buffer(number)[: seen.nbytes]
            seen.files.fill(seen.tensor, seen.first, read)
            if np.array_equal(read, seen.view.octets):
                continue
            seen.files.verify(seen.tensor)
            raise TensorUnreadable(
                f"{seen.tensor.files[0]} could not be read for a moment, or was cut short and "
                "written again, while it was compared"
            )

    def _looked_at(
        self, number: int, files: OpenFiles, tensor: TensorInfo, first: int, nbytes: int
    ) -> bool:
        """Has the worker look at a side's bytes where the system holds them; False where they are
        to be read."""
        if not self._worker.reads_in_place:
            return False
        view = files.view(tensor, first, nbytes)
        if view is None:
            return False
        self._worker.look_at(number, view.octets, view.at)
        self._in_place[number] = _InPlace(view, files, tensor, first, nbytes)
        return True

    def _buffer(self, number: int) -> Buffer:
        """The buffer of base (0) or target (1), to be filled now."""
        self._in_place[number] = None
        return self._worker.target if number else self._worker.base

    def _fill_base(self, wanted: Hashable, fill: Callable[[], None]) -> None:
        if wanted == self._kept:
            return
        self._kept = None
        fill()
        self._kept = wanted


@dataclass(frozen=True)
class _InPlace:
    """What a worker looks at in place of a buffer: ``nbytes`` of values from element ``first``."""

    view: FileView
    files: OpenFiles
    tensor: TensorInfo
    first: int
    nbytes: int
