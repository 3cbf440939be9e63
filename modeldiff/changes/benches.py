"""Where measuring is done: a workshop for each kind of device, with benches for its threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Statistics
from modeldiff.changes.cpu import BATCHED, CHUNK_BYTES, CpuBench, chunk_elements
from modeldiff.changes.decoding import Comparison
from modeldiff.changes.devices import resolve_device
from modeldiff.changes.sampling import Bracket
from modeldiff.changes.tally import MedianSearch, Tally

MOST_THREADS = 16
"""More would not read faster, and each takes its buffers."""


class Bench(Protocol):
    """Measures chunks that were read into its buffers; belongs to one thread at a time."""

    base: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8]

    def measure_batch(self, types: Comparison, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors that stand in the buffers one after the other."""
        ...

    def measure_whole(self, types: Comparison, n: int) -> Statistics:
        """The statistics of a tensor of ``n`` elements that stands in the buffers whole."""
        ...

    def bracket(self, types: Comparison) -> Bracket:
        """A bracket for the median of a tensor of which a sample stands in the buffers."""
        ...

    def measure_part(self, types: Comparison, n: int, tally: Tally, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's tally."""
        ...

    def refine(self, types: Comparison, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        ...

    def close(self) -> None:
        """Gives memory back."""
        ...


class Workshop(Protocol):
    """How many threads measure, on what benches, and in chunks of what size."""

    @property
    def threads(self) -> int:
        """How many threads measure."""
        ...

    def chunk_elements(self, types: Comparison) -> int:
        """Elements of a chunk of these types: whole leaves."""
        ...

    def batched(self, types: Comparison) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        ...

    def bench(self) -> Bench:
        """A new bench."""
        ...


@dataclass(frozen=True)
class CpuWorkshop:
    """A thread for each core that this process may use, up to where memory is the limit."""

    threads: int = field(default_factory=lambda: min(usable_cores(), MOST_THREADS))
    chunk_bytes: int = CHUNK_BYTES

    def chunk_elements(self, types: Comparison) -> int:
        """Elements of a chunk of these types: whole leaves."""
        return chunk_elements(types, self.chunk_bytes)

    def batched(self, types: Comparison) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        return min(BATCHED, self.chunk_elements(types)) if types.precision == "float32" else -1

    def bench(self) -> CpuBench:
        """A new bench; the first compiles the kernels where no cache has them."""
        return CpuBench(self.chunk_bytes)


def workshop_for(device: str) -> Workshop:
    """The workshop of a device, by any name that ``resolve_device`` takes."""
    name = resolve_device(device)
    if name == "cpu":
        return CpuWorkshop()
    from modeldiff.changes.accelerator import TorchWorkshop

    return TorchWorkshop(name.removeprefix("torch:"))


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
