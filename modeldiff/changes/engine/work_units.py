"""Pairs cut into the pieces that threads take: chunks of large tensors, batches of small ones."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.change import Change, Pair
from modeldiff.changes.dtype_pairs import DtypePair, dtype_pair
from modeldiff.checkpoints import TensorInfo

COARSEST_GRAIN = 256
"""What the grain of every recipe divides, and itself a divisor of a chunk."""
_AHEAD = 8
"""By how many jobs a sample is taken early."""


@dataclass(eq=False)
class Task:
    """A pair that is being measured.

    A tensor of at most a chunk is measured whole. A larger one has an ``accumulator``, filled by
    the first pass, and perhaps a ``search`` for its median's lower bits, fed by further passes.
    ``left`` chunks of the current pass are still to be done. ``sampled`` is set when the
    accumulator has its bracket. ``trouble`` says why a tensor cannot be read.

    Pickled, it is a task that nobody has begun: what the threads share stays in their process.
    """

    index: int
    pair: Pair
    base: TensorInfo
    target: TensorInfo
    types: DtypePair
    left: int = 0
    accumulator: Accumulator | None = None
    search: MedianSearch | None = None
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    sampled: threading.Event = field(default_factory=threading.Event)

    def __reduce__(self) -> tuple[object, ...]:
        return Task, (self.index, self.pair, self.base, self.target, self.types)

    @property
    def elements(self) -> int:
        """Elements of either side."""
        return self.base.elements

    @property
    def grain(self) -> int:
        """Ranges of elements that begin on whole multiples of this are read without waste."""
        return 1 if self.base.recipe is None and self.target.recipe is None else COARSEST_GRAIN

    def bytes_before(self, element: int) -> int:
        """How many of the stored bytes of both sides lie before an element."""
        return self.pair.nbytes * element // max(self.elements, 1)


@dataclass(frozen=True)
class Whole:
    """Tensors of at most a chunk: one, or in a ``batch`` small ones of the same types."""

    tasks: tuple[Task, ...]
    batch: bool


@dataclass(frozen=True)
class Sample:
    """A large tensor's sample, which gives its accumulator a bracket."""

    task: Task

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The one."""
        return (self.task,)


@dataclass(frozen=True)
class Chunk:
    """Elements ``start`` to ``stop`` of a large tensor."""

    task: Task
    start: int
    stop: int

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The one."""
        return (self.task,)


Job = Whole | Sample | Chunk
"""What a thread takes at a time."""


def sort_out(pairs: Sequence[Pair]) -> tuple[list[Task], dict[int, Change]]:
    """The pairs to measure, as tasks in order, and by index the changes of all others."""
    tasks: list[Task] = []
    ready: dict[int, Change] = {}
    for index, pair in enumerate(pairs):
        if pair.status != "compared" or pair.base is None or pair.target is None:
            ready[index] = Change(pair)
            continue
        types = dtype_pair(pair.base.values, pair.target.values)
        if types is None:
            reason = f"{pair.base.values} and {pair.target.values} cannot be compared by element"
            ready[index] = unreadable(pair, reason)
            continue
        if any(side.recipe and side.recipe.lossy for side in (pair.base, pair.target)):
            types = replace(types, resolves=False)
        tasks.append(Task(index, pair, pair.base, pair.target, types))
    return tasks, ready


def unreadable(pair: Pair, reason: str) -> Change:
    """The row of a pair that cannot be measured."""
    return Change(replace(pair, status="unreadable", reason=reason))


def plan_jobs(tasks: Iterable[Task], backend: Backend) -> Iterator[Job]:
    """All tasks as jobs, in order, but a large task's sample some jobs before its first chunk, so
    that no thread has to wait for it."""
    waiting: deque[Job] = deque()
    for job in _in_order(tasks, backend):
        if isinstance(job, Sample):
            yield job
            continue
        waiting.append(job)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _in_order(tasks: Iterable[Task], backend: Backend) -> Iterator[Job]:
    """Neighbours that are small and of the same types make a job together, as many as a worker's
    buffers hold. A large task gets its accumulator when its turn comes."""
    batch: list[Task] = []
    room = 0
    for task in tasks:
        small = task.elements <= backend.batched(task.types)
        room -= task.elements
        if batch and (not small or room < 0 or batch[0].types != task.types):
            yield Whole(tuple(batch), batch=True)
            batch = []
        if small:
            if not batch:
                room = backend.chunk_elements(task.types) - task.elements
            batch.append(task)
        elif task.elements <= backend.chunk_elements(task.types):
            yield Whole((task,), batch=False)
        else:
            task.accumulator = Accumulator(task.elements, task.types)
            if task.types.precision == "float32":
                yield Sample(task)
            else:
                task.sampled.set()
            yield from chunks(task, backend)
    if batch:
        yield Whole(tuple(batch), batch=True)


def chunks(task: Task, backend: Backend) -> list[Chunk]:
    """A large task's next pass."""
    size = backend.chunk_elements(task.types)
    starts = range(0, task.elements, size)
    task.left = len(starts)
    return [Chunk(task, start, min(start + size, task.elements)) for start in starts]
