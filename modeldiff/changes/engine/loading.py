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
        size = stop * stored.bits // 8 - start * stored.bits // 8
        files.fill(tensor, start, buffer[:size])


def load_sample(worker: Worker, task: Task, base: OpenFiles, target: OpenFiles) -> None:
    """The clusters of a task's sample, one after the other."""
    starts = cluster_starts(task.elements, task.grain)
    for files, tensor, stored, buffer in _sides(worker, task, base, target):
        files.fill_clusters(tensor, starts, buffer[: len(starts) * CLUSTER * stored.bits // 8])


def load_batch(worker: Worker, tasks: Sequence[Task], base: OpenFiles, target: OpenFiles) -> None:
    """Several tasks' tensors, one after the other."""
    base.fill_all([task.base for task in tasks], worker.base)
    target.fill_all([task.target for task in tasks], worker.target)


def _sides(
    worker: Worker, task: Task, base: OpenFiles, target: OpenFiles
) -> tuple[tuple[OpenFiles, TensorInfo, StoredType, npt.NDArray[np.uint8]], ...]:
    return (
        (base, task.base, task.types.base, worker.base),
        (target, task.target, task.types.target, worker.target),
    )
