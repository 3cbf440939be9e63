"""Pairs cut into the pieces that threads take: chunks of large tensors, batches of small ones."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from modeldiff.changes.change import Change, Pair
from modeldiff.changes.decoding import Comparison, comparison
from modeldiff.changes.tally import MedianSearch, Tally
from modeldiff.checkpoints import TensorInfo

_BATCH_BYTES = 2 << 20
"""Bytes of neighbouring small pairs that a thread takes in one go."""
_AHEAD = 8
"""By how many jobs a sample is taken early."""

ChunkElements = Callable[[Comparison], int]
"""How many elements of these types are measured at once."""


@dataclass(eq=False)
class Task:
    """A pair that is being measured.

    A tensor of one chunk is measured whole. A larger one has a ``tally``, filled by the first
    pass, and perhaps a ``search`` for its median's lower bits, fed by further passes. ``left``
    pieces of the current pass are still to be done. ``sampled`` is set when the tally has its
    bracket. ``trouble`` says why the tensor cannot be read.
    """

    index: int
    pair: Pair
    base: TensorInfo
    target: TensorInfo
    types: Comparison
    left: int = 1
    tally: Tally | None = None
    search: MedianSearch | None = None
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    sampled: threading.Event = field(default_factory=threading.Event)

    @property
    def elements(self) -> int:
        """Stored elements of base."""
        return self.base.nbytes * 8 // self.types.base.bits


@dataclass(frozen=True)
class Piece:
    """Elements ``start`` to ``stop`` of a task's tensors; or their sample, before all others."""

    task: Task
    start: int
    stop: int
    is_sample: bool = False


Job = list[Piece]
"""What a thread takes at a time."""


def sort_out(pairs: Sequence[Pair]) -> tuple[list[Task], dict[int, Change]]:
    """The pairs to measure, as tasks in order, and by index the changes of all others."""
    tasks: list[Task] = []
    ready: dict[int, Change] = {}
    for index, pair in enumerate(pairs):
        if pair.status != "compared" or pair.base is None or pair.target is None:
            ready[index] = Change(pair)
            continue
        types = comparison(pair.base.dtype, pair.target.dtype)
        if types is None:
            reason = f"{pair.base.dtype} and {pair.target.dtype} cannot be compared by element"
            ready[index] = Change(replace(pair, status="unreadable", reason=reason))
            continue
        tasks.append(Task(index, pair, pair.base, pair.target, types))
    return tasks, ready


def cut(tasks: Iterable[Task], chunk_elements: ChunkElements) -> Iterator[Job]:
    """All tasks as jobs, in order, but a large task's sample some jobs before its first chunk, so
    that no thread has to wait for it."""
    waiting: deque[Job] = deque()
    for job in _in_order(tasks, chunk_elements):
        if job[0].is_sample:
            yield job
            continue
        waiting.append(job)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _in_order(tasks: Iterable[Task], chunk_elements: ChunkElements) -> Iterator[Job]:
    batch: Job = []
    batch_bytes = 0
    for task in tasks:
        small = task.elements <= chunk_elements(task.types)
        if small:
            batch.append(Piece(task, 0, task.elements))
            batch_bytes += task.pair.nbytes
        if batch and (not small or batch_bytes >= _BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        if not small:
            task.tally = Tally(task.elements, task.types)
            if task.types.precision == "float32":
                yield [Piece(task, 0, 0, is_sample=True)]
            else:
                task.sampled.set()
            yield from chunks(task, chunk_elements)
    if batch:
        yield batch


def chunks(task: Task, chunk_elements: ChunkElements) -> list[Job]:
    """A large task's next pass."""
    size = chunk_elements(task.types)
    starts = range(0, task.elements, size)
    task.left = len(starts)
    return [[Piece(task, start, min(start + size, task.elements))] for start in starts]
