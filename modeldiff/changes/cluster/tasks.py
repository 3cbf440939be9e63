"""What travels between the machines: runs of neighbouring pairs there, rows and errors back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.changes.change import Pair, Statistics
from modeldiff.changes.cluster.same_files import SeenCheckpoint, as_seen
from modeldiff.changes.engine.work_units import Task
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import ModeldiffError
from modeldiff.processes.late_dataclass import dataclass

TASK_BYTES = 256 << 20
"""Bytes that a task reads, about: some tenths of a second of work, so that little is lost with a
node and nodes of unequal speed end together."""
_MOST_TASK_BYTES = 4 * TASK_BYTES
"""A tensor of base that many targets share is read once where a task has them all."""


@dataclass(frozen=True)
class RemotePair:
    """A ``pair`` of the ``side``-th target of its task; ``index`` is its number in the diff."""

    index: int
    side: int
    pair: Pair


@dataclass(frozen=True)
class RemoteTask:
    """What a node is to measure: ``pairs`` of ``base`` and ``targets``.

    ``version`` is modeldiff's where the diff was started. ``device`` is what to measure on,
    ``threads`` how many the CPU takes, None for what the device needs. All of it is data: the code
    that makes something of it is what is installed on the node.
    """

    version: str
    base: SeenCheckpoint
    targets: tuple[SeenCheckpoint, ...]
    pairs: tuple[RemotePair, ...]
    device: str
    threads: int | None


@dataclass(frozen=True)
class RemoteRow:
    """The pair of this ``index`` was measured; without ``statistics`` it could not be read, for
    this ``reason``."""

    index: int
    statistics: Statistics | None
    reason: str = ""


RemoteAnswer = tuple[RemoteRow, ...] | ModeldiffError
"""What a node sends, again and again: rows that are ready, or at last why it can't go on."""


def cut_runs(tasks: Sequence[Task], task_bytes: int = TASK_BYTES) -> Iterator[tuple[Task, ...]]:
    """Runs of neighbours of about ``task_bytes`` to read, in order. Targets of one tensor of base
    stay together while that makes no run of several times as much."""
    most = task_bytes * _MOST_TASK_BYTES // TASK_BYTES
    run: list[Task] = []
    nbytes = 0
    for task in tasks:
        shares_base = bool(run) and run[-1].base == task.base
        if run and nbytes + task.nbytes > (most if shares_base else task_bytes):
            yield tuple(run)
            run, nbytes = [], 0
        run.append(task)
        nbytes += task.nbytes
    if run:
        yield tuple(run)


def remote_task(
    run: Sequence[Task],
    base: Checkpoint,
    targets: Sequence[Checkpoint],
    *,
    version: str,
    device: str,
    threads: int | None,
) -> RemoteTask:
    """The task of a ``run``; ``version``, ``device`` and ``threads`` as it has them.

    Raises ``CheckpointError`` where a file can't be read any more.
    """
    sides = sorted({task.side for task in run})
    return RemoteTask(
        version,
        as_seen(base, [task.base for task in run]),
        tuple(
            as_seen(targets[side], [task.target for task in run if task.side == side])
            for side in sides
        ),
        tuple(RemotePair(task.index, sides.index(task.side), task.pair) for task in run),
        device,
        threads,
    )
