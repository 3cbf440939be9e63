"""The worker on an accelerator, in torch that knows no vendor: CUDA, ROCm, MPS, XPU, or its CPU.

Each thread has a worker: pinned buffers to read into, a stream of its own on the device, and a few
tensors there. While one thread waits for its device work another one reads, so reading, copying
and measuring overlap, and memory on the device is bounded by the number of workers. Where it does
not suffice all the same, a chunk is measured in two halves.

The relative change is computed by the same three float32 operations as on the CPU, each rounded
once, so its bits are the same, and so are all counts, the histogram and the median. Small tensors,
which a device does not make faster, and types that it cannot compute with are left to the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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
from modeldiff.changes.backends.cpu import CpuWorker, chunk_elements
from modeldiff.changes.backends.devices import usable_cores
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

DEVICE_CHUNK_BYTES = 32 << 20
"""Bytes of the wider side that are read, copied and measured at once."""
SMALL = LEAF
"""Tensors of up to so many elements are measured on the CPU."""
_Result = TypeVar("_Result")
_TORCH_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
}


@dataclass(frozen=True)
class TorchBackend:
    """A few threads that keep one device busy.

    ``device`` is torch's name for it, ``small`` the size up to which tensors go to the CPU.
    """

    device: str
    chunk_bytes: int = DEVICE_CHUNK_BYTES
    small: int = SMALL

    @property
    def threads(self) -> int:
        """Enough to read while others wait for the device."""
        return 1 if self.device == "cpu" else max(2, min(6, usable_cores()))

    def chunk_elements(self, types: DtypePair) -> int:
        """Elements of a chunk of these types: whole leaves."""
        return chunk_elements(types, self.chunk_bytes)

    def batched(self, types: DtypePair) -> int:
        """Tensors of up to so many elements are measured in batches: by the CPU."""
        return self.small if types.precision == "float32" else -1

    def worker(self) -> TorchWorker:
        """A new worker."""
        return TorchWorker(torch.device(self.device), self.chunk_bytes)


class TorchWorker:
    """Measures chunks that stand in its two buffers, on a device. Belongs to one thread."""

    def __init__(self, device: torch.device, chunk_bytes: int) -> None:
        self._device = device
        room = max(chunk_bytes, LEAF * 8)
        pinned = device.type == "cuda"
        self._raw = [torch.empty(room, dtype=torch.uint8, pin_memory=pinned) for _ in range(2)]
        self.base, self.target = (raw.numpy() for raw in self._raw)
        self._cpu = CpuWorker(chunk_bytes, (self.base, self.target))
        self._stream = torch.Stream(device) if device.type in ("cuda", "xpu") else None
        self._slice = room
        self._accumulators = OwnAccumulators(self.base.size)
        self._tables: dict[str, torch.Tensor] = {}

    def measure_batch(self, types: DtypePair, sizes: Sequence[int]) -> list[Statistics]:
        """The statistics of small tensors, by the CPU."""
        return self._cpu.measure_batch(types, sizes)

    def measure_whole(self, types: DtypePair, n: int) -> Statistics:
        """The statistics of a tensor that stands in the buffers whole."""
        if not self._can_compute(types):
            return self._cpu.measure_whole(types, n)
        accumulator = self._accumulators.empty(n, types)
        with self._on_stream():
            kept = self._measure(types, n, accumulator, 0, Bracket(0, ALL_KEPT))
            median = accumulator.find_median()
            while isinstance(median, PartialMedian):
                search = MedianSearch(median)
                for r_bits in kept:
                    search.fine += count_digits(r_bits, search)
                median = search.narrow()
        return accumulator.statistics(median)

    def bracket(self, types: DtypePair) -> Bracket:
        """A bracket for the median of a tensor of which a sample stands in the buffers."""
        return self._cpu.bracket(types)

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        """Adds a chunk that begins at element ``first``, on a leaf, to its tensor's accumulator."""
        if not self._can_compute(types):
            self._cpu.measure_part(types, n, accumulator, first)
            return
        with self._on_stream():
            for r_bits in self._measure(types, n, accumulator, first, accumulator.bracket):
                accumulator.keep(r_bits.cpu().numpy().view(np.uint32))

    def refine(self, types: DtypePair, n: int, search: MedianSearch) -> None:
        """Counts a median's next sixteen bits in the chunk that stands in the buffers."""
        if not self._can_compute(types):
            self._cpu.refine(types, n, search)
            return

        def count(start: int, size: int) -> npt.NDArray[np.int64]:
            base, target = self._decoded(types, start, size)
            return count_digits(((target - base).abs() / base.abs()).view(bits_type(base)), search)

        with self._on_stream():
            for _, digits in self._in_slices(n, count):
                with search.lock:
                    search.fine += digits

    def close(self) -> None:
        """Gives the device's memory back."""
        self._raw.clear()
        self._tables.clear()
        self._stream = None
        self.base = self.target = np.empty(0, np.uint8)
        del self._cpu
        if self._device.type != "cpu":
            torch.accelerator.empty_cache()
            torch.accelerator.empty_host_cache()

    def _can_compute(self, types: DtypePair) -> bool:
        if types.precision == "float64":
            return has_float64(self._device)
        return types.precision == "float32"

    def _on_stream(self) -> AbstractContextManager[Any]:
        return self._stream or nullcontext()

    def _in_slices(
        self, n: int, act: Callable[[int, int], _Result]
    ) -> Iterator[tuple[int, _Result]]:
        """``act(start, size)`` over the chunk in slices that fit into the device's memory."""
        start = 0
        while start < n:
            size = min(self._slice, n - start)
            try:
                result = act(start, size)
            except RuntimeError as error:
                if "out of memory" not in str(error).lower() or size <= LEAF:
                    raise
                self._slice = max(size // 2 // LEAF, 1) * LEAF
                torch.accelerator.empty_cache()
                continue
            yield start, result
            start += size

    def _measure(
        self, types: DtypePair, n: int, accumulator: Accumulator, first: int, bracket: Bracket
    ) -> list[torch.Tensor]:
        """Adds the chunk to the accumulator; the bits of the ``r`` in the bracket, on the
        device."""

        def measure(start: int, size: int) -> Measured:
            return measure_slice(*self._decoded(types, start, size), size, bracket)

        kept = []
        for start, measured in self._in_slices(n, measure):
            with accumulator.lock:
                at = (first + start) // LEAF
                accumulator.leaves[at : at + len(measured.leaves)] += measured.leaves
                accumulator.histogram += measured.histogram
                accumulator.add_counts(measured.counts, int(measured.histogram.sum()))
            kept.append(measured.kept)
        return kept

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
