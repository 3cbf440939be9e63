"""Who measures: a Ray cluster.

The pairs are cut into tasks of neighbours, a few more of them submitted than the cluster has room
for, and rows taken as they come. What a worker or node that is lost had not handed over yet is
submitted again: nothing but what was in flight is measured twice, and no row is taken twice.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from modeldiff._version import __version__
from modeldiff.changes.change import Change, Progress, ReportProgress
from modeldiff.changes.cluster.node import measure_task
from modeldiff.changes.cluster.ray_cluster import connected_ray
from modeldiff.changes.cluster.ray_room import RayRoom
from modeldiff.changes.cluster.tasks import (
    TASK_BYTES,
    RemoteAnswer,
    RemoteTask,
    cut_runs,
    remote_task,
)
from modeldiff.changes.engine.work_units import Task, beside_each_other, sort_out, unreadable
from modeldiff.changes.measurer import TargetPairs
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import ClusterError, InvalidOption, ModeldiffError
from modeldiff.processes.late_dataclass import dataclass

_ON_CARDS = ("cuda", "xpu")
_THREADS = 2
"""Of a task, on one core: while one waits for bytes the other measures."""
_MOST_LOSSES = 4
"""A pair whose workers die so often is the reason for it."""
_AHEAD = 4
"""For so many tasks that can run one more is submitted, so that no core waits for this process: a
few, as they may wait at a node that is slow."""
_LEAST_AHEAD = 2
_MOST_SUBMITTED = 1_000
_UNTAKEN_ANSWERS = 32
"""A task waits where this process does not keep up with what it sends."""
_SECONDS_BETWEEN_REPORTS = 0.2


@dataclass(frozen=True)
class RayCluster:
    """The cluster at ``RAY_ADDRESS``. On a ``kind`` of card, ``cuda`` or ``xpu``, each task takes
    one; on the ``cpu``, a core. A task reads about ``task_bytes``."""

    kind: str
    task_bytes: int = TASK_BYTES
    is_here = False

    @classmethod
    def on(cls, device: str) -> RayCluster:
        """By the kind of ``device``; ``auto`` is the CPU, which all nodes have. Raises
        ``InvalidOption`` for one that can't be said of a cluster."""
        kind = "cpu" if device == "auto" else device
        if kind not in ("cpu", *_ON_CARDS):
            raise InvalidOption(
                f"On a cluster there is no device {device!r}.",
                hint="Choose cpu, cuda or xpu: which card of which node is the cluster's to say.",
            )
        return cls(kind)

    @property
    def device(self) -> str:
        """See ``Measurer``."""
        return f"{self.kind} (Ray)"

    def measure(
        self,
        base: Checkpoint,
        targets: Sequence[TargetPairs],
        *,
        progress: ReportProgress | None = None,
    ) -> Generator[tuple[int, Change], None, None]:
        """See ``Measurer``. Raises at once what ``connected_ray`` raises, and while it is iterated
        ``ClusterError`` where a pair's workers die again and again or no node is left, and what
        ends a task on a node, with that node's name."""
        ray = connected_ray()
        return _Run(ray, self, base, targets, progress).changes()


class _Stream:
    """A task that was submitted: what it sends, and the pairs that it still owes."""

    def __init__(self, generator: Any, run: Sequence[Task]) -> None:
        self.generator = generator
        self.owed = {task.index: task for task in run}


class _Run:
    """One walk over the pairs on the cluster."""

    def __init__(
        self,
        ray: Any,
        cluster: RayCluster,
        base: Checkpoint,
        targets: Sequence[TargetPairs],
        progress: ReportProgress | None,
    ) -> None:
        self._ray, self._kind, self._base = ray, cluster.kind, base
        self._targets = [checkpoint for checkpoint, _ in targets]
        pairs = beside_each_other([pairs for _, pairs in targets])
        self._sides = [side for side, _ in pairs]
        tasks, self._ready = sort_out(pairs)
        self._waiting = deque(cut_runs(tasks, cluster.task_bytes))
        self._streams: dict[Any, _Stream] = {}
        self._losses: Counter[int] = Counter()
        self._progress = progress
        self._report = Progress("measuring", 0, sum(task.nbytes for task in tasks), 0, len(tasks))
        self._due = 0.0
        self._room: RayRoom
        self._remote = ray.remote(_measure_on_node).options(
            num_returns="streaming",
            num_cpus=1,
            num_gpus=1 if cluster.kind in _ON_CARDS else 0,
            max_retries=0,
            scheduling_strategy="SPREAD",
            _generator_backpressure_num_objects=_UNTAKEN_ANSWERS,
        )

    def changes(self) -> Generator[tuple[int, Change], None, None]:
        """The changes as they come, each with its target's number."""
        self._room = RayRoom(self._ray, "GPU" if self._kind in _ON_CARDS else "CPU")
        try:
            for index, change in self._ready.items():
                yield self._sides[index], change
            while self._waiting or self._streams:
                self._submit()
                for index, change in self._arrived():
                    yield self._sides[index], change
                self._tell()
            self._due = 0.0
            self._tell()
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"The cluster was lost: {_one_line(error)}",
                hint="Look whether its head still runs. What was measured is kept: run the same "
                "again to go on.",
            ) from error
        finally:
            self._room.stop()
            for stream in self._streams.values():
                with contextlib.suppress(self._ray.exceptions.RayError):
                    self._ray.cancel(stream.generator)

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress is not None and now >= self._due:
            self._due = now + _SECONDS_BETWEEN_REPORTS
            self._progress(self._report)

    def _submit(self) -> None:
        room = self._room.now()
        most = min(room + max(room // _AHEAD, _LEAST_AHEAD), _MOST_SUBMITTED)
        while self._waiting and len(self._streams) < most:
            run = self._waiting.popleft()
            task = remote_task(
                run,
                self._base,
                self._targets,
                version=__version__,
                device=self._kind,
                threads=_THREADS if self._kind == "cpu" else None,
            )
            generator = self._remote.remote(task)
            self._streams[generator] = _Stream(generator, run)

    def _arrived(self) -> Iterator[tuple[int, Change]]:
        """What came of all streams since the last call; one of them is waited for a moment."""
        streams = list(self._streams)
        ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(streams, timeout=_SECONDS_BETWEEN_REPORTS)
        for generator in ready:
            yield from self._taken(self._streams[generator])

    def _taken(self, stream: _Stream) -> Iterator[tuple[int, Change]]:
        """The next rows of a stream, or what became of it."""
        errors = self._ray.exceptions
        try:
            answer = self._fetched(next(stream.generator))
        except StopIteration:
            del self._streams[stream.generator]
            if stream.owed:
                self._lost(stream, "it ended early")
            return
        except errors.RayTaskError as error:
            raise ClusterError(
                "A task failed on a node in a way that was not foreseen: "
                f"{_one_line(error.cause or error)}",
                hint="Check that modeldiff, with its libraries, is installed alike on every node.",
            ) from error
        except errors.RayError as error:
            del self._streams[stream.generator]
            self._lost(stream, _one_line(error))
            return
        if isinstance(answer, ModeldiffError):
            raise answer
        for row in answer:
            task = stream.owed.pop(row.index, None)
            if task is None:
                continue
            self._report = replace(
                self._report,
                bytes_done=self._report.bytes_done + task.nbytes,
                tensors_done=self._report.tensors_done + 1,
                current=task.base.name,
            )
            if row.statistics is None:
                yield row.index, unreadable(task.pair, row.reason)
            else:
                yield row.index, Change(task.pair, row.statistics)

    def _fetched(self, reference: Any) -> RemoteAnswer:
        """What a reference holds: large answers lie on their node, which may have died since."""
        while True:
            ready, _ = self._ray.wait([reference], timeout=_SECONDS_BETWEEN_REPORTS)
            if ready:
                answer: RemoteAnswer = self._ray.get(reference)
                return answer
            self._room.now()
            self._tell()

    def _lost(self, stream: _Stream, reason: str) -> None:
        """Let others measure what a lost task still owes."""
        run = tuple(stream.owed.values())
        if not run:
            return
        first = run[0]
        self._losses[first.index] += 1
        if self._losses[first.index] >= _MOST_LOSSES:
            raise ClusterError(
                f"{_MOST_LOSSES} workers were lost, one after the other, while they measured "
                f"{first.base.label} or what stands next to it. Of the last Ray says: {reason}",
                hint="Look for its end in the node's log; a worker that takes too much memory is "
                "killed. What was measured is kept: run the same again to go on.",
            )
        self._waiting.appendleft(run)


def _one_line(error: BaseException) -> str:
    """What an error of Ray's says, without its line breaks and not all of it."""
    return " ".join(str(error).split())[:500]


def _measure_on_node(task: RemoteTask) -> Iterator[RemoteAnswer]:
    """``measure_task`` as Ray runs it on a node."""
    from ray.util import get_node_ip_address

    yield from measure_task(task, get_node_ip_address())
