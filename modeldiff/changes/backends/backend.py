"""Where measuring is done: a backend for each kind of device, with workers for its threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import DtypePair


class Worker(Protocol):
    """Measures chunks that were read into its buffers; belongs to one thread at a time."""

    base: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8]

    def measure_batch(self, types: DtypePair, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors that stand in the buffers one after the other."""
        ...

    def measure_whole(self, types: DtypePair, n: int) -> Statistics:
        """The statistics of a tensor of ``n`` elements that stands in the buffers whole."""
        ...

    def bracket(self, types: DtypePair) -> Bracket:
        """A bracket for the median of a tensor of which a sample stands in the buffers."""
        ...

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator."""
        ...

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        ...

    def close(self) -> None:
        """Gives memory back."""
        ...


class Backend(Protocol):
    """How many threads measure, on what workers, and in chunks of what size."""

    @property
    def threads(self) -> int:
        """How many threads measure."""
        ...

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        ...

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        ...

    def worker(self) -> Worker:
        """A new worker."""
        ...
