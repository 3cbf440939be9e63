"""``measure32`` called as the worker calls it, whole or a plain piece at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modeldiff.changes.dtype_pairs import decoder, dtype_pair
from modeldiff.changes.kernels.bins import BLOCK, EMPTY_COUNTS, KEYS32, LEAF, RUN, TABLES
from modeldiff.native.library import Kernel
from tests.support.slow_statistics import Bytes

FILLER = KEYS32 << 16
"""The first of the words that stand where nothing is counted."""
Bracket = tuple[int, int]
BRACKETS: tuple[Bracket, ...] = (
    (0, 0),
    (0, 0xFFFFFFFF),
    (0x3D000000, 0x00400000),
    (0x3C000000, 0x03800000),
    (0, 0x7F810000),
    (0x7F800000, 0x10000),
)
"""``low`` and ``width``: nothing, everything, narrow, wide, all finite and infinity alone."""


@dataclass
class MeasuredChunk:
    """What the kernel leaves of ``elements`` elements."""

    elements: int
    tables: npt.NDArray[np.uint32] = field(
        default_factory=lambda: np.zeros((TABLES, KEYS32 + 64), np.uint32)
    )
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: EMPTY_COUNTS.copy())

    def __post_init__(self) -> None:
        self.leaves = np.zeros((-(-self.elements // LEAF), 6))
        self.kept = np.zeros(0, np.uint32)

    @property
    def histogram(self) -> npt.NDArray[np.int64]:
        """The counts of all keys, without the fillers'."""
        counts: npt.NDArray[np.int64] = self.tables[:, :KEYS32].sum(0, dtype=np.int64)
        return counts

    def words(self, bracket: Bracket) -> npt.NDArray[np.uint32]:
        """What was kept, as it is on every processor: ascending, and those of each run apart where
        there is one for each element, with the same filler for all that is not counted."""
        words = np.minimum(self.kept, np.uint32(FILLER))
        if bracket[1] != 0xFFFFFFFF:
            return np.sort(words)
        whole = len(words) // RUN * RUN
        runs = np.sort(words[:whole].reshape(-1, RUN), axis=1).reshape(-1)
        return np.append(runs, words[whole:])

    def measure(
        self,
        measure32: Kernel,
        sides: tuple[Bytes, Bytes],
        types: tuple[str, str],
        bracket: Bracket,
        piece: int,
    ) -> MeasuredChunk:
        """Measures ``piece`` elements at a time. Those of less than a run are measured by the plain
        twin of the vector run, element by element."""
        pair = dtype_pair(*types)
        assert pair is not None
        scratch = np.zeros(6 * BLOCK, np.uint32)
        room = np.zeros(min(piece, self.elements), np.uint32)
        for start in range(0, self.elements, piece):
            stop = min(start + piece, self.elements)
            places = []
            for side, stored in zip(sides, (pair.base, pair.target), strict=True):
                places += [side.ctypes.data + start * stored.bits // 8, *decoder(stored)]
            kept = measure32(
                *places,
                stop - start,
                *bracket,
                scratch.ctypes.data,
                self.tables.ctypes.data,
                self.leaves[start // LEAF :].ctypes.data,
                self.counts.ctypes.data,
                room.ctypes.data,
            )
            self.kept = np.append(self.kept, room[:kept])
        return self


PLAIN = RUN // 2
"""Elements that are measured element by element; a leaf is whole pieces of so many."""
