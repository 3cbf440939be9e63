"""The worker on an accelerator, in torch that knows no vendor: CUDA, ROCm, MPS, XPU, or its CPU.

Each thread has a worker: pinned buffers to read into, a stream of its own on the device, and a few
tensors there. While one thread waits for its device work another one reads, so reading, copying
and measuring overlap, and memory on the device is bounded by the number of workers. Where it does
not suffice all the same, a chunk is measured in two halves, and by the CPU where not even a leaf
fits: it has the bytes.

The relative change is computed by the same three float32 operations as on the CPU, each rounded
once, so its bits are the same, and so are all counts, the histogram and the median. Small tensors,
which a device does not make faster, and types that it cannot compute with are left to the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes.backends.accumulator import (
    Accumulator,
    MedianSearch,
    OwnAccumulators,
    PartialMedian,
)
from modeldiff.changes.backends.cores import usable_cores
from modeldiff.changes.backends.cpu import CpuWorker, chunk_elements
from modeldiff.changes.backends.device_memory import (
    bind_thread,
    give_back,
    host_memory,
    is_out_of_memory,
)
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.backends.torch_kernels import (
    Measured,
    bits_type,
    count_digits,
    has_float64,
    measure_slice,
)
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import DtypePair
from modeldiff.changes.kernels.bins import (
    ALL_KEPT,
    LEAF,
)
from modeldiff.checkpoints import StoredType
from modeldiff.checkpoints.recipes.small_floats import table8
from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes
from modeldiff.processes.late_dataclass import dataclass

DEVICE_CHUNK_BYTES = 32 << 20
"""Bytes of the wider side that are read, copied and measured at once."""
SMALL = LEAF
"""Tensors of up to so many elements are measured on the CPU."""
_MOST_THREADS = 6
_Result = TypeVar("_Result")
_TORCH_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
}


class _NoRoomForRest(RuntimeError):
    """The device has run out of memory before element ``start`` of a chunk."""

    def __init__(self, start: int) -> None:
        super().__init__("out of memory")
        self.start = start


@dataclass(frozen=True)
class DeviceBackend:
    """What all backends of one device have in common.

    ``device`` is torch's name for it, ``small`` the size up to which tensors go to the CPU.
    ``sharing`` devices share the processor's cores among them.
    """

    device: str
    chunk_bytes: int = DEVICE_CHUNK_BYTES
    small: int = SMALL
    sharing: int = 1

    def threads_up_to(self, most: int) -> int:
        """This device's share of the cores, at least two and at most ``most``; of torch's CPU,
        which is there to check others, one."""
        if self.device == "cpu":
            return 1
        return max(2, min(most, usable_cores() // self.sharing))

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        return chunk_elements(types, self.chunk_bytes)

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches: by the CPU."""
        return self.small if types.precision == "float32" else -1


@dataclass(frozen=True)
class TorchBackend(DeviceBackend):
    """A few threads that keep one device busy."""

    @property
    def threads(self) -> int:
        """Enough to read while others wait for the device."""
        return self.threads_up_to(_MOST_THREADS)

    def worker(self, chunk_bytes: int = 0) -> TorchWorker:
        """A new worker; its chunks are of ``chunk_bytes`` where that is more than its own."""
        return TorchWorker(torch.device(self.device), max(self.chunk_bytes, chunk_bytes))


class TorchWorker:
    """Measures chunks that stand in its two buffers, on a device. Belongs to one thread.

    ``buffers`` and ``stream`` are lent to it; by default it has its own.
    """

    def __init__(
        self,
        device: torch.device,
        chunk_bytes: int,
        buffers: tuple[torch.Tensor, torch.Tensor] | None = None,
        stream: torch.Stream | None = None,
    ) -> None:
        self._device = device
        bind_thread(device)
        room = max(chunk_bytes, LEAF * 8)
        raw = buffers or (host_memory(room, device), host_memory(room, device))
        self.cpu = CpuWorker(room, (raw[0].numpy(), raw[1].numpy()))
        self.use(*raw)
        if stream is None and device.type in ("cuda", "xpu"):
            stream = torch.Stream(device)
        self._stream = stream
        self._slice = room
        self._accumulators = OwnAccumulators(room)
        self._tables: dict[str, torch.Tensor] = {}

    def use(self, base: torch.Tensor, target: torch.Tensor) -> None:
        """Measure what stands in these buffers from now on."""
        self._raw = [base, target]
        self.base, self.target = base.numpy(), target.numpy()
        self.cpu.use(self.base, self.target)

    reads_in_place = False

    def look_at(self, side: int, values: npt.NDArray[np.uint8], at: int) -> None:
        """Never called: a device copies from its own buffers."""
        raise NotImplementedError

    def decodes(self, types: DtypePair) -> frozenset[CodeKind]:
        """None: its buffers have values."""
        return self.cpu.decodes(types)

    def hold_codes(self, side: int, codes: StoredCodes) -> None:
        """Never called, as it decodes none."""
        self.cpu.hold_codes(side, codes)

    def measure_batch(self, types: DtypePair, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors, by the CPU."""
        return self.cpu.measure_batch(types, sizes)

    def measure_whole(self, types: DtypePair, n: int) -> Statistics:
        """The statistics of a tensor that stands in the buffers whole."""
        if not self._can_compute(types):
            return self.cpu.measure_whole(types, n)
        accumulator = self._accumulators.empty(n, types)
        try:
            with self._on_stream():
                kept = list(self._measure(types, n, accumulator, 0, Bracket(0, ALL_KEPT)))
                median = accumulator.find_median()
                while isinstance(median, PartialMedian):
                    search = MedianSearch(median)
                    for r_bits in kept:
                        search.fine += count_digits(r_bits, search)
                    median = search.narrow()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            accumulator.histogram[:] = 0
            return self.cpu.measure_whole(types, n)
        return accumulator.statistics(median)

    def bracket(self, types: DtypePair) -> Bracket:
        """A bracket for the median of a tensor of which a sample stands in the buffers."""
        return self.cpu.bracket(types)

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator."""
        if not self._can_compute(types):
            self.cpu.measure_part(types, n, accumulator, first)
            return
        try:
            with self._on_stream():
                for r_bits in self._measure(types, n, accumulator, first, accumulator.bracket):
                    accumulator.keep(r_bits.cpu().numpy().view(np.uint32))
        except _NoRoomForRest as left:
            with self._rest_on_cpu(types, left.start) as cpu:
                cpu.measure_part(types, n - left.start, accumulator, first + left.start)

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        if not self._can_compute(types):
            self.cpu.refine(types, n, search)
            return

        def count(start: int, size: int) -> npt.NDArray[np.int64]:
            base, target = self._decoded(types, start, size)
            return count_digits(((target - base).abs() / base.abs()).view(bits_type(base)), search)

        try:
            with self._on_stream():
                for _, digits in self._in_slices(n, count):
                    with search.lock:
                        search.fine += digits
        except _NoRoomForRest as left:
            with self._rest_on_cpu(types, left.start) as cpu:
                cpu.refine(types, n - left.start, search)

    def after(self, act: Callable[[], None]) -> None:
        """At once: what was measured is where it belongs."""
        act()

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Gives the device's memory back."""
        self._raw.clear()
        self._tables.clear()
        self._stream = None
        self.base = self.target = np.empty(0, np.uint8)
        self.cpu.use(self.base, self.target)
        give_back(self._device)

    def _can_compute(self, types: DtypePair) -> bool:
        if types.precision == "float64":
            return has_float64(self._device)
        return types.precision == "float32"

    def _on_stream(self) -> AbstractContextManager[Any]:
        return self._stream or nullcontext()

    @contextmanager
    def _rest_on_cpu(self, types: DtypePair, start: int) -> Iterator[CpuWorker]:
        """The CPU, for what is behind element ``start`` in the buffers."""
        base, target = types.base.bits // 8, types.target.bits // 8
        self.cpu.use(self.base[start * base :], self.target[start * target :])
        try:
            yield self.cpu
        finally:
            self.cpu.use(self.base, self.target)

    def _in_slices(
        self, n: int, act: Callable[[int, int], _Result]
    ) -> Iterator[tuple[int, _Result]]:
        """``act(start, size)`` over the chunk in slices that fit into the device's memory.

        When one is through, so are the copies from the buffers. Raises ``_NoRoomForRest`` where
        not even a leaf fits.
        """
        start = 0
        while start < n:
            size = min(self._slice, n - start)
            try:
                result = act(start, size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size <= LEAF:
                    raise _NoRoomForRest(start) from error
                self._slice = max(size // 2 // LEAF, 1) * LEAF
                if self._device.type != "cpu":
                    torch.accelerator.empty_cache()
                continue
            finally:
                if self._stream is not None:
                    self._stream.synchronize()
            yield start, result
            start += size

    def _measure(
        self, types: DtypePair, n: int, accumulator: Accumulator, first: int, bracket: Bracket
    ) -> Iterator[torch.Tensor]:
        """Adds the chunk to the accumulator, slice by slice; the bits of the ``r`` in the bracket,
        on the device."""

        def measure(start: int, size: int) -> Measured:
            return measure_slice(*self._decoded(types, start, size), size, bracket)

        for start, measured in self._in_slices(n, measure):
            with accumulator.lock:
                at = (first + start) // LEAF
                accumulator.leaves[at : at + len(measured.leaves)] += measured.leaves
                accumulator.histogram += measured.histogram
                accumulator.add_counts(measured.counts, int(measured.histogram.sum()))
            yield measured.kept

    def _decoded(
        self, types: DtypePair, start: int, size: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Elements of both sides on the device, in the working type, filled up to whole leaves
        with zeros."""
        working = torch.float64 if types.precision == "float64" else torch.float32
        sides = []
        for raw, stored in zip(self._raw, (types.base, types.target), strict=True):
            width = stored.bits // 8
            stored_bytes = raw[start * width : (start + size) * width]
            values = self._values(stored_bytes.to(self._device, non_blocking=True), stored)
            values = values.to(working)
            filling = -size % LEAF
            sides.append(torch.nn.functional.pad(values, (0, filling)) if filling else values)
        return sides[0], sides[1]

    def _values(self, raw: torch.Tensor, stored: StoredType) -> torch.Tensor:
        torch_type = _TORCH_TYPES.get(stored.name)
        if torch_type is not None:
            return raw.view(torch_type)
        table = self._tables.get(stored.name)
        if table is None:
            table = torch.from_numpy(table8(stored.name)).to(self._device)
            self._tables[stored.name] = table
        return table[raw.long()]
