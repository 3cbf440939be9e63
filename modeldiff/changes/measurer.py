"""Who measures: this machine, or somebody else who keeps the same contract."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from modeldiff.changes.backends.devices import resolve_device
from modeldiff.changes.change import Change, Pair, ReportProgress
from modeldiff.changes.engine.engine import measure_together
from modeldiff.checkpoints import Checkpoint
from modeldiff.processes.late_dataclass import dataclass

TargetPairs = tuple[Checkpoint, Sequence[Pair]]
"""A target with its pairs."""


class Measurer(Protocol):
    """Who turns pairs into changes. ``device`` is what results say of where they were measured;
    ``is_here``: this process does it, and compiles its kernels beforehand."""

    @property
    def device(self) -> str:
        """See the class."""
        ...

    @property
    def is_here(self) -> bool:
        """See the class."""
        ...

    def measure(
        self,
        base: Checkpoint,
        targets: Sequence[TargetPairs],
        *,
        progress: ReportProgress | None = None,
    ) -> Generator[tuple[int, Change], None, None]:
        """A change for every pair of all ``targets``, with its target's number, each as soon as it
        is ready, in whatever order. Otherwise as ``measure_together``."""
        ...


@dataclass(frozen=True)
class ThisMachine:
    """This process, on a ``device`` of this machine, as ``resolve_device`` calls it."""

    device: str
    is_here = True

    @classmethod
    def on(cls, device: str) -> ThisMachine:
        """By any name that ``resolve_device`` takes. Raises ``InvalidOption``."""
        return cls(resolve_device(device))

    def measure(
        self,
        base: Checkpoint,
        targets: Sequence[TargetPairs],
        *,
        progress: ReportProgress | None = None,
    ) -> Generator[tuple[int, Change], None, None]:
        """See ``Measurer``."""
        return measure_together(base, targets, device=self.device, progress=progress)
