"""The kernel's memory on the device, and its launches: one for a chunk, with one copy back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes.backends.device_memory import host_memory, is_out_of_memory, smaller
from modeldiff.changes.backends.fused.kernel import (
    LAUNCH,
    NO_KEY32,
    measure_leaves,
    refine_median,
)
from modeldiff.changes.backends.fused.sides import ChunkSide, SidePointers
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.kernels.bins import (
    BLOCK,
    EMPTY_COUNTS,
    HIGHEST_KEY,
    KEYS32,
    LEAF,
    LOWEST_KEY,
)

COPIES = 8
"""Copies of the histogram, among which leaves share out: equal keys queue up at one counter."""
_KEPT_SHARE = 32
"""For so many bytes of a side one ``r`` may be in the bracket: of bfloat16 one in sixteen. Room for
more would have to be copied back each time; where there are more, a second pass is due."""
_HEAD = 4
_MOST_TABLES = 64


class Results:
    """What a launch leaves in one block of memory, on the device or on the host beside it.

    ``leaves`` is how many rows it has, ``kept`` how many ``r`` it has room for.
    """

    def __init__(self, leaves: int, kept: int, block: torch.Tensor) -> None:
        sizes = (_HEAD, COPIES * KEYS32, 8 * leaves, 12 * leaves, kept)
        ends = np.cumsum(sizes).tolist()
        self.block = block.view(torch.int32)
        self.kept_count, self.histogram, self.counts, sums, self.kept = (
            self.block[end - size : end] for size, end in zip(sizes, ends, strict=True)
        )
        self.zeroed = self.block[: ends[1]]
        self.without_kept = self.block[: ends[3]]
        self.leaves = sums.view(torch.float64)

    @staticmethod
    def nbytes(leaves: int, kept: int) -> int:
        """How many bytes it takes."""
        return 4 * (_HEAD + COPIES * KEYS32 + 20 * leaves + kept)

    def read_counts(self, leaves: int) -> npt.NDArray[np.int64]:
        """The eight counts of a chunk of so many leaves; what is unchanged is not known yet."""
        rows = self.counts[: 8 * leaves].numpy().reshape(leaves, 8)
        counts = EMPTY_COUNTS.copy()
        counts[[0, 2, 3, 4, 5]] = rows[:, [0, 2, 3, 4, 5]].sum(axis=0, dtype=np.int64)
        lowest = int(rows[:, LOWEST_KEY].min())
        if lowest != NO_KEY32:
            counts[LOWEST_KEY] = lowest
            counts[HIGHEST_KEY] = rows[:, HIGHEST_KEY].max()
        return counts

    def read_histogram(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """How many changed elements have each key from ``low`` to ``high``."""
        copies = self.histogram.numpy().reshape(COPIES, KEYS32)[:, low : high + 1]
        histogram: npt.NDArray[np.int64] = copies.sum(axis=0, dtype=np.int64)
        return histogram

    def read_leaves(self, leaves: int) -> npt.NDArray[np.float64]:
        """The six sums of each leaf."""
        sums: npt.NDArray[np.float64] = self.leaves[: 6 * leaves].numpy().reshape(leaves, 6)
        return sums

    def read_kept(self) -> npt.NDArray[np.uint32] | None:
        """The bits of the ``r`` in the bracket, in no order; None if they were too many."""
        count = int(self.kept_count[0])
        if count > self.kept.numel():
            return None
        kept: npt.NDArray[np.uint32] = self.kept[:count].numpy().view(np.uint32)
        return kept

    def read_fine(self) -> npt.NDArray[np.int32]:
        """What ``refine`` counted."""
        fine: npt.NDArray[np.int32] = self.histogram[:65536].numpy()
        return fine


class FusedProgram:
    """One worker's memory on a device, and the kernel's launches there, in the current stream.

    ``room`` is the size of a chunk's side in bytes. A slice of ``slice_bytes`` at a time is on the
    device. What the next launch overwrites has been copied before, since a stream keeps its order.
    """

    def __init__(self, device: torch.device, room: int, slice_bytes: int) -> None:
        self._device = device
        self._slice_bytes = slice_bytes
        self._shape = (-(-room // LEAF), max(room // _KEPT_SHARE, LEAF))
        self._raw = [torch.empty(slice_bytes, dtype=torch.uint8, device=device) for _ in range(2)]
        # Zeros, as a launch puts what it keeps where the count before it ends.
        block = torch.zeros(Results.nbytes(*self._shape), dtype=torch.uint8, device=device)
        self._results = Results(*self._shape, block)
        self._no_table = torch.zeros(256, dtype=torch.float32, device=device)
        self._tables: dict[bytes, torch.Tensor] = {}

    def host_results(self) -> Results:
        """Memory on the host for what a launch leaves."""
        return Results(*self._shape, host_memory(Results.nbytes(*self._shape), self._device))

    def fits(self, sides: tuple[ChunkSide, ChunkSide]) -> bool:
        """Whether a chunk can be measured: with codes it has to be on the device whole, both of
        its sides."""
        if not any(side.codes for side in sides):
            return True
        return max(side.nbytes for side in sides) <= self._slice_bytes

    def measure(self, sides: tuple[ChunkSide, ChunkSide], bracket: Bracket, out: Results) -> None:
        """Begin to measure a chunk; ``out`` has the results when the stream is through."""
        there = self._results
        there.zeroed.zero_()
        for start, size, base, target in self._slices(sides):
            self.launch(sides, (base, target), start // LEAF, size, bracket)
        part = there.block if bracket.width else there.without_kept
        out.block[: part.numel()].copy_(part, non_blocking=True)

    def launch(
        self,
        sides: tuple[ChunkSide, ChunkSide],
        there: tuple[SidePointers, SidePointers],
        leaf: int,
        size: int,
        bracket: Bracket,
    ) -> None:
        """The launch alone, of ``size`` elements that are ``there`` on the device, whose leaves'
        rows begin with ``leaf``; it adds to what was counted."""
        results = self._results
        with _first_alone(self._device, "measure", sides):
            measure_leaves[(-(-size // LEAF),)](
                *there[0],
                *there[1],
                results.histogram,
                results.leaves[6 * leaf :],
                results.counts[8 * leaf :],
                results.kept,
                results.kept_count,
                size,
                bracket.low,
                bracket.width,
                results.kept.numel(),
                **_kinds(sides),
                leaf_size=LEAF,
                block=BLOCK,
                keys=KEYS32,
                copies=COPIES,
                **LAUNCH,
            )

    def refine(self, sides: tuple[ChunkSide, ChunkSide], prefix: int, out: Results) -> None:
        """Begin to count the sixteen bits below a ``prefix`` of sixteen; see ``measure``."""
        there = self._results
        there.zeroed.zero_()
        for _, size, base, target in self._slices(sides):
            with _first_alone(self._device, "refine", sides):
                refine_median[(-(-size // BLOCK),)](
                    *base,
                    *target,
                    there.histogram,
                    size,
                    prefix,
                    **_kinds(sides),
                    block=BLOCK,
                    **LAUNCH,
                )
        out.zeroed.copy_(there.zeroed, non_blocking=True)

    def _slices(
        self, sides: tuple[ChunkSide, ChunkSide]
    ) -> Iterator[tuple[int, int, SidePointers, SidePointers]]:
        """Each slice's first element and size, and its sides, on their way to the device. Codes
        make the chunk one slice."""
        n = sides[0].n
        most = n
        if not any(side.codes for side in sides):
            wider = max(side.stored.bits for side in sides)
            most = max(self._slice_bytes * 8 // wider // LEAF, 1) * LEAF
        for side in sides:
            side.pack()
        for start in range(0, n, most):
            size = min(most, n - start)
            base, target = (
                self._copied(side, raw, start, size)
                for side, raw in zip(sides, self._raw, strict=True)
            )
            yield start, size, base, target

    def _copied(self, side: ChunkSide, raw: torch.Tensor, start: int, size: int) -> SidePointers:
        begin, count = 0, side.nbytes
        if side.codes is None:
            width = side.stored.bits // 8
            begin, count = start * width, size * width
        raw[:count].copy_(side.host[begin : begin + count], non_blocking=True)
        return side.on_device(raw, self._table(side))

    def _table(self, side: ChunkSide) -> torch.Tensor:
        values = side.table()
        if values is None:
            return self._no_table
        key = values.tobytes()
        if key not in self._tables:
            if len(self._tables) > _MOST_TABLES:  # files may have a table for each tensor
                self._tables.clear()
            self._tables[key] = torch.from_numpy(values.copy()).to(self._device)
        return self._tables[key]


_compiled: set[tuple[object, ...]] = set()
_compiling = threading.Lock()


@contextmanager
def _first_alone(
    device: torch.device, kernel: str, sides: tuple[ChunkSide, ChunkSide]
) -> Iterator[None]:
    """The first launch of a kernel for these kinds is alone: it compiles for seconds, and a dozen
    threads that begin together would all do so."""
    key = (device, kernel, *_kinds(sides).values())
    if key in _compiled:
        yield
        return
    with _compiling:
        yield
        _compiled.add(key)


def _kinds(sides: tuple[ChunkSide, ChunkSide]) -> dict[str, str]:
    base, target = sides
    return {
        "base_kind": base.kind,
        "base_rounding": base.rounding,
        "target_kind": target.kind,
        "target_rounding": target.rounding,
    }


def fused_program(device: torch.device, room: int) -> FusedProgram | None:
    """The program with as much of the device's memory as it can have, for chunks of ``room`` bytes
    a side; None where there is not enough for the smallest slice."""
    slice_bytes = room
    while slice_bytes:
        try:
            return FusedProgram(device, room, slice_bytes)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        if device.type != "cpu":
            torch.accelerator.empty_cache()
        slice_bytes = smaller(slice_bytes)
    return None
