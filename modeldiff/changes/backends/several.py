"""Several devices at once: their workers take chunks of the same tensors from one queue.

Who measured a chunk makes no difference, since all add to the tensor's accumulator on the host:
counts, histogram and median are the same bits, and a device that is faster comes for more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import field
from itertools import zip_longest

from modeldiff.changes.backends.backend import Backend, Worker
from modeldiff.changes.dtype_pairs import DtypePair
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class SeveralBackend:
    """All threads of these backends, with chunks of the largest one's size."""

    backends: tuple[Backend, ...]
    _turn: Iterator[Backend] = field(init=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turn", self._in_turn())

    @property
    def threads(self) -> int:
        """Those of all."""
        return sum(backend.threads for backend in self.backends)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk's wider side: the largest of all."""
        return max(backend.chunk_bytes for backend in self.backends)

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        return max(backend.chunk_elements(types) for backend in self.backends)

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        return min(backend.batched(types) for backend in self.backends)

    def worker(self, chunk_bytes: int = 0) -> Worker:
        """A new worker of the backend whose turn it is; its chunks are of ``chunk_bytes`` where
        that is more than its own."""
        with self._lock:
            backend = next(self._turn)
        return backend.worker(max(self.chunk_bytes, chunk_bytes))

    def _in_turn(self) -> Iterator[Backend]:
        """Each backend as often as it has threads, in turn with the others; then from the start."""
        while True:
            rounds = zip_longest(*([backend] * backend.threads for backend in self.backends))
            yield from (backend for each in rounds for backend in each if backend is not None)
