"""The worker that keeps a card busy with the fused kernel.

::

    thread   read chunk 1 │ read chunk 2        │ read chunk 3        │
    copies                │ 1 → card, results ← │ 2 → card, results ← │
    card                  │      kernel 1       │      kernel 2       │

A chunk takes two copies to the card, one launch and one copy back, all of them behind each other in
the worker's own stream; the thread waits once, for the end of the last, and only when it needs the
buffer again or nothing else is left to do. What the kernel does not take is left to the eager
program (float64) or the CPU (small tensors, equality). The CPU has the bytes of a chunk, too, for
which there is no memory on the card.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from triton.errors import TritonError

from modeldiff.changes.backends.accumulator import (
    Accumulator,
    MedianSearch,
    OwnAccumulators,
    PartialMedian,
)
from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.backends.device_memory import bind_thread, is_out_of_memory
from modeldiff.changes.backends.fused.pinned import Flight, PinnedSide
from modeldiff.changes.backends.fused.program import FusedProgram, Results, fused_program
from modeldiff.changes.backends.fused.sides import ChunkSide
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.backends.torch_backend import DeviceBackend, TorchWorker
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import DtypePair
from modeldiff.changes.kernels.bins import INFINITE_KEY32, LEAF, LOWEST_KEY, NO_KEY
from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes
from modeldiff.processes.late_dataclass import dataclass

_log = logging.getLogger(__name__)
CODE_KINDS: frozenset[CodeKind] = frozenset(
    {"Q8_0", "Q4_K", "Q6_K", "MXFP4", "8 bits", "4 bits", "4 bits, high first", "2 bits"}
)
"""The codes that the kernel decodes."""
_EVERY_R = Bracket(0, INFINITE_KEY32 + 1 << 16)
"""All ``r`` up to infinity."""
_IN_FLIGHT = 2
_MOST_THREADS = 12


@dataclass(frozen=True)
class FusedBackend(DeviceBackend):
    """Threads that read for one device, and launch the fused kernel there."""

    @property
    def threads(self) -> int:
        """Enough to fill pinned memory as fast as a card copies from it."""
        return self.threads_up_to(_MOST_THREADS)

    def worker(self, chunk_bytes: int = 0) -> FusedWorker:
        """A new worker; its chunks are of ``chunk_bytes`` where that is more than its own."""
        return FusedWorker(torch.device(self.device), max(self.chunk_bytes, chunk_bytes))


class FusedWorker:
    """Measures chunks that stand in its buffers, on a device. Belongs to one thread."""

    def __init__(self, device: torch.device, chunk_bytes: int) -> None:
        room = max(chunk_bytes, LEAF * 8)
        bind_thread(device)
        self._device = device
        self._sides = (PinnedSide(room, device), PinnedSide(room, device))
        self._stream = torch.Stream(device) if device.type in ("cuda", "xpu") else None
        with self._on_stream():
            self._program: FusedProgram | None = fused_program(device, room)
        program = self._program
        self._results = [program.host_results() for _ in range(_IN_FLIGHT)] if program else []
        self._flights: deque[Flight] = deque()
        first = tuple(side.memory for side in self._sides)
        self._eager = TorchWorker(device, chunk_bytes, (first[0], first[1]), self._stream)
        self._accumulators = OwnAccumulators(room)

    @property
    def base(self) -> npt.NDArray[np.uint8]:
        """A buffer for base's next bytes, which nothing reads from."""
        return self._sides[0].to_fill(self._land_up_to)

    @property
    def target(self) -> npt.NDArray[np.uint8]:
        """A buffer for target's next bytes, which nothing reads from."""
        return self._sides[1].to_fill(self._land_up_to)

    reads_in_place = False

    def look_at(self, side: int, values: npt.NDArray[np.uint8], at: int) -> None:
        """Never called: a device copies from its own buffers."""
        raise NotImplementedError

    def decodes(self, types: DtypePair) -> frozenset[CodeKind]:
        """The codes that may stand in the buffers in place of values of these types."""
        if self._program is None or types.precision != "float32":
            return frozenset()
        return CODE_KINDS

    def hold_codes(self, side: int, codes: StoredCodes) -> None:
        """Base's buffer (0) or target's (1) has codes, as far as they are decoded here."""
        self._sides[side].codes = codes

    def measure_batch(self, types: DtypePair, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors, by the CPU."""
        return self._cpu().measure_batch(types, sizes)

    def bracket(self, types: DtypePair) -> Bracket:
        """A bracket for the median of a tensor of which a sample stands in the buffers."""
        return self._cpu().bracket(types)

    def measure_whole(self, types: DtypePair, n: int) -> Statistics:
        """The statistics of a tensor that stands in the buffers whole."""
        sides = self._chunk(types, n)
        if sides is None:
            return self._plainly(types, n).measure_whole(types, n)
        accumulator = self._accumulators.empty(n, types)
        if n <= LEAF:
            accumulator.bracket = _EVERY_R
        elif not any(side.codes for side in sides):
            accumulator.bracket = self._cpu().bracket_of_whole(types, n)
        self._measure(types, sides, accumulator, 0)
        self.finish()
        median = accumulator.find_median()
        while isinstance(median, PartialMedian):
            search = MedianSearch(median)
            self.refine(types, n, search)
            self.finish()
            median = search.narrow()
        return accumulator.statistics(median)

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator;
        perhaps later, as ``after`` tells."""
        sides = self._chunk(types, n)
        if sides is None:
            self._plainly(types, n).measure_part(types, n, accumulator, first)
        else:
            self._measure(types, sides, accumulator, first)

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers; perhaps
        later, as ``after`` tells."""
        sides = self._chunk(types, n)
        if sides is None:
            self._plainly(types, n).refine(types, n, search)
        else:
            self._refine(types, sides, search)

    def after(self, act: Callable[[], None]) -> None:
        """Calls ``act`` when all chunks so far are where they belong."""
        if self._flights:
            self._flights[-1].acts.append(act)
        else:
            act()

    def finish(self) -> None:
        """Waits for all chunks in flight."""
        while self._flights:
            self._flights.popleft().land()

    def close(self) -> None:
        """Gives the device's memory back."""
        if self._stream is not None:
            self._stream.synchronize()  # a walk that was stopped may have left copies under way
        self._flights.clear()
        self._results.clear()
        self._program = None
        self._eager.close()

    def _on_stream(self) -> AbstractContextManager[Any]:
        return self._stream or nullcontext()

    def _cpu(self) -> CpuWorker:
        """The CPU, for values in the current buffers."""
        return self._plain_worker().cpu

    def _plain_worker(self) -> TorchWorker:
        base, target = (side.memory for side in self._sides)
        self._eager.use(base, target)
        return self._eager

    def _plainly(self, types: DtypePair, n: int) -> TorchWorker | CpuWorker:
        """Who measures what the kernel does not take. Codes are decoded before, on the CPU."""
        if not any(side.codes for side in self._sides):
            return self._plain_worker()
        values = [
            _values(side, n * stored.bits // 8)
            for side, stored in zip(self._sides, (types.base, types.target), strict=True)
        ]
        cpu = self._eager.cpu
        cpu.use(values[0], values[1])
        return cpu

    def _chunk(self, types: DtypePair, n: int) -> tuple[ChunkSide, ChunkSide] | None:
        """The chunk in the buffers; None where the kernel can't take it."""
        if self._program is None or types.precision != "float32" or n == 0:
            return None
        base, target = (
            ChunkSide(side.memory, n, stored, side.codes)
            for side, stored in zip(self._sides, (types.base, types.target), strict=True)
        )
        return (base, target) if self._program.fits((base, target)) else None

    def _measure(
        self,
        types: DtypePair,
        sides: tuple[ChunkSide, ChunkSide],
        accumulator: Accumulator,
        first: int,
    ) -> None:
        assert self._program is not None
        n, bracket = sides[0].n, accumulator.bracket
        fly = partial(self._program.measure, sides, bracket)
        if not self._launch(fly, partial(_add, accumulator, first, n, bracket)):
            self._plainly(types, n).measure_part(types, n, accumulator, first)

    def _refine(
        self, types: DtypePair, sides: tuple[ChunkSide, ChunkSide], search: MedianSearch
    ) -> None:
        assert self._program is not None
        fly = partial(self._program.refine, sides, search.prefix)
        if not self._launch(fly, partial(_add_fine, search)):
            self._plainly(types, sides[0].n).refine(types, sides[0].n, search)

    def _launch(self, fly: Callable[[Results], None], landed: Callable[[Results], None]) -> bool:
        """Begin with what stands in the buffers; whether there was memory for it, and a kernel:
        other kinds than those that were tried first may not compile for a card."""
        if len(self._flights) == _IN_FLIGHT:
            self._flights.popleft().land()
        in_use = [flight.results for flight in self._flights]
        results = next(each for each in self._results if each not in in_use)
        flight = Flight(results, landed)
        try:
            with self._on_stream():
                fly(results)
        except (RuntimeError, TritonError) as error:
            if isinstance(error, TritonError):
                _log.warning("Triton fails, others measure in its stead: %s", error)
                self._program = None
            elif not is_out_of_memory(error):
                raise
            if self._stream is not None:
                self._stream.synchronize()  # others are next to read the buffers
            return False
        if self._stream is not None:
            flight.end = self._stream.record_event()
        self._flights.append(flight)
        for side in self._sides:
            side.lend(flight)
        return True

    def _land_up_to(self, last: Flight) -> None:
        """Land a flight and those before it, if it still is in the air."""
        while last in self._flights:
            self._flights.popleft().land()


def _values(side: PinnedSide, nbytes: int) -> npt.NDArray[np.uint8]:
    """A side's values on the host, decoded if they stand as codes."""
    if side.codes is None:
        return side.array
    values = np.empty(nbytes, np.uint8)
    side.codes.decode(side.array[: side.codes.nbytes], values.data)
    return values


def _add(accumulator: Accumulator, first: int, n: int, bracket: Bracket, results: Results) -> None:
    """Adds a chunk's results, measured with this bracket, to its tensor's accumulator."""
    leaves = -(-n // LEAF)
    counts = results.read_counts(leaves)
    low, high = counts[LOWEST_KEY:].tolist()
    if low == NO_KEY:
        low, high = 0, -1
    histogram = results.read_histogram(low, high)
    at = first // LEAF
    with accumulator.lock:
        accumulator.leaves[at : at + leaves] += results.read_leaves(leaves)
        accumulator.histogram[low : high + 1] += histogram
        accumulator.add_counts(counts, int(histogram.sum()))
    if bracket.width:
        kept = results.read_kept()
        if kept is None:
            accumulator.drop_bracket()
        else:
            accumulator.keep(kept)


def _add_fine(search: MedianSearch, results: Results) -> None:
    with search.lock:
        search.fine += results.read_fine()
