"""Pairs cut into the pieces that threads take: chunks of large tensors, batches of small ones."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.change import Change, Pair
from modeldiff.changes.dtype_pairs import DtypePair, dtype_pair
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.walk import Walk

COARSEST_GRAIN = 256
"""What the grain of every recipe divides, and itself a divisor of a chunk."""
_AHEAD = 8
"""By how many jobs a sample is taken early."""


@dataclass(eq=False)
class Passes:
    """A tensor of more than a chunk while threads pass over it.

    The first pass fills the ``accumulator``, further ones feed a ``search`` for the median's lower
    bits, if need be. ``left`` chunks of the current pass are still to be done. ``sampled`` is set
    when the accumulator has its bracket. ``trouble`` says why the tensor cannot be read.
    """

    accumulator: Accumulator
    search: MedianSearch | None = None
    left: int = 0
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    sampled: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False, slots=True)
class Task:
    """A pair that is being measured.

    A tensor of at most a chunk is measured whole; a larger one has ``passes`` from when its turn
    comes until it is done.

    Its target's tensor is one of the ``side``-th target. ``nbytes`` are the stored bytes that it
    adds to what is read: base's only where no task before it reads the same.

    Pickled, it is a task that nobody has begun: what the threads share stays in their process.
    """

    index: int
    pair: Pair
    base: TensorInfo
    target: TensorInfo
    types: DtypePair
    side: int = 0
    nbytes: int = 0
    passes: Passes | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return Task, (
            *(self.index, self.pair, self.base, self.target, self.types),
            *(self.side, self.nbytes),
        )

    @property
    def elements(self) -> int:
        """Elements of either side."""
        return self.base.elements

    @property
    def grain(self) -> int:
        """Ranges of elements that begin on whole multiples of this are read without waste."""
        return 1 if self.base.recipe is None and self.target.recipe is None else COARSEST_GRAIN

    @property
    def walk(self) -> Walk | None:
        """In which order its elements are best read; None where both sides are as they are
        stored."""
        if self.base.recipe is None and self.target.recipe is None:
            return None
        from modeldiff.checkpoints.recipes.walk import walk_of

        return walk_of(self.base).beside(walk_of(self.target))

    @property
    def sampled(self) -> int:
        """Of how many elements, from the first on, a sample is taken."""
        walk = self.walk
        return self.elements if walk is None else walk.sampled

    def bytes_before(self, element: int) -> int:
        """How many of its bytes lie before an element."""
        return self.nbytes * element // max(self.elements, 1)


@dataclass(frozen=True)
class Whole:
    """Tensors of at most a chunk: one, or in a ``batch`` small ones of the same types."""

    tasks: tuple[Task, ...]
    batch: bool


@dataclass(frozen=True)
class Sample:
    """A large tensor's sample, which gives its accumulator a bracket."""

    task: Task
    passes: Passes

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The one."""
        return (self.task,)


@dataclass(frozen=True)
class Chunk:
    """Elements ``start`` to ``stop`` of a large tensor."""

    task: Task
    passes: Passes
    start: int
    stop: int

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The one."""
        return (self.task,)


Job = Whole | Sample | Chunk
Jobs = tuple[Job, ...]
"""What a thread takes at a time: jobs of several targets that need the same values of base, which
stay in its buffer from one to the next; of one target, one job."""


def beside_each_other(targets: Sequence[Sequence[Pair]]) -> list[tuple[int, Pair]]:
    """All targets' pairs with their target's number. Pairs with the same tensor of base are
    neighbours, in the first target's order; a single target's pairs stay in theirs."""
    if len(targets) == 1:
        return [(0, pair) for pair in targets[0]]
    columns: dict[tuple[TensorInfo | None, int], list[tuple[int, Pair]]] = {}
    for side, pairs in enumerate(targets):
        earlier: Counter[TensorInfo | None] = Counter()
        for pair in pairs:
            columns.setdefault((pair.base, earlier[pair.base]), []).append((side, pair))
            earlier[pair.base] += 1
    return [each for column in columns.values() for each in column]


def sort_out(pairs: Sequence[tuple[int, Pair]]) -> tuple[list[Task], dict[int, Change]]:
    """The pairs to measure, each with its target's number, as tasks in order; and by index the
    changes of all others."""
    tasks: list[Task] = []
    ready: dict[int, Change] = {}
    last: Task | None = None
    for index, (side, pair) in enumerate(pairs):
        if pair.status != "compared" or pair.base is None or pair.target is None:
            ready[index] = Change(pair)
            continue
        types = dtype_pair(pair.base.values, pair.target.values)
        if types is None:
            reason = f"{pair.base.values} and {pair.target.values} cannot be compared by element"
            ready[index] = unreadable(pair, reason)
            continue
        if pair.base.lossy or pair.target.lossy:
            types = replace(types, resolves=False)
        again = last is not None and last.side != side and last.base == pair.base
        nbytes = pair.target.nbytes if again else pair.nbytes
        last = Task(index, pair, pair.base, pair.target, types, side, nbytes)
        tasks.append(last)
    return tasks, ready


def unreadable(pair: Pair, reason: str) -> Change:
    """The row of a pair that cannot be measured."""
    return Change(replace(pair, status="unreadable", reason=reason))


def plan_jobs(tasks: Iterable[Task], backend: Backend) -> Iterator[Jobs]:
    """All tasks as jobs, in order, but a large task's sample some jobs before its first chunk, so
    that no thread has to wait for it, unless reading it takes much memory."""
    waiting: deque[Jobs] = deque()
    for jobs in _in_order(tasks, backend):
        if isinstance(jobs[0], Sample) and not _is_heavy(jobs):
            yield jobs
            continue
        waiting.append(jobs)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _in_order(tasks: Iterable[Task], backend: Backend) -> Iterator[Jobs]:
    """Neighbours that are small, of the same targets and of the same types make a job of each
    target together, as many as a worker's buffers hold. A large task gets its accumulator when its
    turn comes."""
    batch: list[Column] = []
    room = 0
    kind: list[tuple[int, DtypePair]] = []
    batched = most = 0
    for _, neighbours in groupby(tasks, key=attrgetter("base")):
        column = tuple(neighbours)
        elements = column[0].elements
        own_kind = [(task.side, task.types) for task in column]
        another = own_kind != kind
        if another:
            # Neighbours are mostly of one kind, of which this is asked once.
            kind = own_kind
            batched = min(backend.batched(types) for _, types in kind)
            most = min(backend.chunk_elements(types) for _, types in kind)
        small = elements <= batched
        room -= elements
        if batch and (not small or room < 0 or another):
            yield _batches(batch)
            batch = []
        if small:
            if not batch:
                room = most - elements
            batch.append(column)
        elif elements <= most:
            yield tuple(Whole((task,), batch=False) for task in column)
        else:
            yield from _large(column, most)
    if batch:
        yield _batches(batch)


def _is_heavy(jobs: Jobs) -> bool:
    walks = [task.walk for job in jobs for task in job.tasks]
    return any(walk is not None and walk.heavy for walk in walks)


Column = tuple[Task, ...]
"""Tasks with the same tensor of base."""


def _batches(columns: Sequence[Column]) -> Jobs:
    """A batch of each target."""
    return tuple(Whole(tasks, batch=True) for tasks in zip(*columns, strict=True))


def _large(column: Column, size: int) -> Iterator[Jobs]:
    """The samples and the first pass of tasks of more than ``size`` elements, a chunk."""
    samples: list[Job] = []
    passes, spans = [], chunk_spans(column, size)
    for task in column:
        task.passes = own = Passes(Accumulator(task.elements, task.types))
        passes.append(chunks(task, own, spans))
        if task.types.precision == "float32":
            samples.append(Sample(task, own))
        else:
            own.sampled.set()
    if samples:
        yield tuple(samples)
    yield from zip(*passes, strict=True)


Spans = Sequence[tuple[int, int]]
"""Where chunks begin and end."""


def chunk_spans(column: Column, size: int) -> Spans:
    """Those of large tasks, of ``size`` elements each, and the same for all of them: values that
    are in the same words come one after the other."""
    walks = (task.walk for task in column)
    runs = [walk.run for walk in walks if walk is not None and walk.run]
    return _spans(column[0].elements, size, min(runs, default=0))


def chunks(task: Task, passes: Passes, spans: Spans) -> list[Chunk]:
    """A large task's next pass, in chunks."""
    passes.left = len(spans)
    return [Chunk(task, passes, start, stop) for start, stop in spans]


def _spans(elements: int, size: int, run: int) -> list[tuple[int, int]]:
    """Where chunks begin and end, each on a whole leaf. What lies ``run`` apart comes together."""
    if not size < run < elements:
        return [(start, min(start + size, elements)) for start in range(0, elements, size)]
    parts = [*(begin - begin % LEAF for begin in range(0, elements, run)), elements]
    spans = [
        (start - begin, start, min(start + size, end))
        for begin, end in pairwise(parts)
        for start in range(begin, end, size)
    ]
    return [(start, stop) for _, start, stop in sorted(spans)]
