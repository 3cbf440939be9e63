"""Fills a worker's buffers with what a job is about, from both checkpoints' files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.backend import Worker
from modeldiff.changes.backends.median_bracket import CLUSTER, cluster_starts
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.engine.work_units import Task
from modeldiff.checkpoints import StoredType, TensorInfo


def load_chunk(
    worker: Worker, task: Task, start: int, stop: int, base: OpenFiles, target: OpenFiles
) -> None:
    """Elements ``start`` to ``stop`` of a task's tensors."""
    for files, tensor, stored, buffer in _sides(worker, task, base, target):
        first, last = start * stored.bits // 8, stop * stored.bits // 8
        files.read(tensor, first, buffer[: last - first])


def load_sample(worker: Worker, task: Task, base: OpenFiles, target: OpenFiles) -> None:
    """The clusters of a task's sample, one after the other."""
    starts = cluster_starts(task.elements)
    for files, tensor, stored, buffer in _sides(worker, task, base, target):
        width = stored.bits // 8
        places = [start * width for start in starts]
        files.read_pieces(tensor, places, buffer[: len(starts) * CLUSTER * width])


def load_batch(worker: Worker, tasks: Sequence[Task], base: OpenFiles, target: OpenFiles) -> None:
    """Several tasks' tensors, one after the other."""
    _load_tensors(base, [task.base for task in tasks], worker.base)
    _load_tensors(target, [task.target for task in tasks], worker.target)


def _load_tensors(
    files: OpenFiles, tensors: Sequence[TensorInfo], buffer: npt.NDArray[np.uint8]
) -> None:
    """Neighbours in a file are read at once: tensors of a mixture of experts are many and small.
    A part whose elements lie apart is nobody's neighbour."""
    begin = size = 0
    first = tensors[0]
    for tensor in tensors:
        apart = tensor.strides or first.strides or tensor.file != first.file
        if apart or tensor.offset != first.offset + size:
            files.read(first, 0, buffer[begin : begin + size])
            begin, size = begin + size, 0
            first = tensor
        size += tensor.nbytes
    files.read(first, 0, buffer[begin : begin + size])


def _sides(
    worker: Worker, task: Task, base: OpenFiles, target: OpenFiles
) -> tuple[tuple[OpenFiles, TensorInfo, StoredType, npt.NDArray[np.uint8]], ...]:
    return (
        (base, task.base, task.types.base, worker.base),
        (target, task.target, task.types.target, worker.target),
    )
