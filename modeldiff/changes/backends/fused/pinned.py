"""Two buffers a side: while the device copies from one, the other is filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes.backends.device_memory import host_memory
from modeldiff.changes.backends.fused.program import Results
from modeldiff.checkpoints.recipes.stored_codes import StoredCodes
from modeldiff.processes.late_dataclass import dataclass


@dataclass(eq=False)
class Flight:
    """A launch whose results are not here yet.

    ``results`` is where they come; ``end`` is behind them in the stream (None: they are here).
    ``landed`` takes them, then come the ``acts`` of whoever waits for it.
    """

    results: Results
    landed: Callable[[Results], None]
    end: torch.Event | None = None
    acts: list[Callable[[], None]] = field(default_factory=list)

    def land(self) -> None:
        """Wait for the end of its copies and take the results."""
        if self.end is not None:
            self.end.synchronize()
        self.landed(self.results)
        for act in self.acts:
            act()


class PinnedSide:
    """One side's two buffers of ``room`` bytes, of which one is the current."""

    def __init__(self, room: int, device: torch.device) -> None:
        self._memory = [host_memory(room, device) for _ in range(2)]
        self._arrays = [memory.numpy() for memory in self._memory]
        self._read_by: list[Flight | None] = [None, None]
        self._turn = 0
        self.codes: StoredCodes | None = None
        """What the current buffer's bytes are codes of; None where they are values."""

    @property
    def memory(self) -> torch.Tensor:
        """The current buffer."""
        return self._memory[self._turn]

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The current buffer."""
        return self._arrays[self._turn]

    def lend(self, flight: Flight) -> None:
        """The current buffer is being copied by this flight."""
        self._read_by[self._turn] = flight

    def to_fill(self, land: Callable[[Flight], None]) -> npt.NDArray[np.uint8]:
        """A buffer that nobody reads, now the current one. ``land`` ends a flight that still reads
        from it."""
        if self._read_by[self._turn] is not None:
            self._turn ^= 1
            flight = self._read_by[self._turn]
            if flight is not None:
                land(flight)
                self._read_by[self._turn] = None
        self.codes = None
        return self.array
