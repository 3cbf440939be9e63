"""Where measuring is done: a backend for each kind of device, with workers for its threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import DtypePair

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes


class Worker(Protocol):
    """Measures chunks that were read into its buffers; belongs to one thread at a time."""

    @property
    def base(self) -> npt.NDArray[np.uint8]:
        """The buffer for base's bytes, which is measured from now on in place of what ``look_at``
        gave. To be asked for each time it is filled: it may be another one then, as long as this
        one is being copied from."""
        ...

    @property
    def target(self) -> npt.NDArray[np.uint8]:
        """The buffer for target's bytes, as ``base``."""
        ...

    @property
    def reads_in_place(self) -> bool:
        """Whether values may stand elsewhere than in its buffers, see ``look_at``."""
        ...

    def look_at(self, side: int, values: npt.NDArray[np.uint8], at: int) -> None:
        """Measure these bytes of values, which begin at this address, in place of base's buffer (0)
        or target's (1), until that is asked for again."""
        ...

    def decodes(self, types: DtypePair) -> frozenset[CodeKind]:
        """The kinds of codes that may stand in the buffers in place of values of these types, of a
        tensor that is measured whole or part by part."""
        ...

    def hold_codes(self, side: int, codes: StoredCodes) -> None:
        """The buffer that was asked for last, of base (0) or target (1), was filled with codes."""
        ...

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
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator;
        perhaps later, as ``after`` tells."""
        ...

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers; perhaps
        later, as ``after`` tells."""
        ...

    def after(self, act: Callable[[], None]) -> None:
        """Calls ``act`` when all that was measured so far is where it belongs: at once, or in a
        later call of this worker's, ``finish`` at the latest."""
        ...

    def finish(self) -> None:
        """Waits for what is under way. Whoever waits for another thread calls it before."""
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

    @property
    def chunk_bytes(self) -> int:
        """Bytes of the wider side that are measured at once."""
        ...

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        ...

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches; -1: none."""
        ...

    def worker(self, chunk_bytes: int = 0) -> Worker:
        """A new worker; its chunks are of ``chunk_bytes`` where that is more than its own."""
        ...
