"""The card that is measured, how time is taken on it, and what was found so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from modeldiff.changes import Change
from modeldiff.changes.backends.backend import Backend

Found = tuple[str, str]
"""What was measured, and what came out."""


@dataclass
class Card:
    """A ``device`` and a ``pair`` of folders of this ``size`` to measure on it; ``small``: so much
    of everything that a processor can do it.

    What later parts need of earlier ones: ``wanted`` are the CPU's numbers of the pair of
    ``nbytes``, ``pinned_rate`` is how many bytes of pinned memory are copied a second, ``measured``
    and ``command`` are the seconds of measuring and of the whole command.
    """

    device: str
    pair: tuple[Path, Path]
    size: str = ""
    small: bool = False
    wanted: list[Change] = field(default_factory=list)
    pinned_rate: float | None = None
    nbytes: int = 0
    measured: float | None = None
    command: float | None = None

    @property
    def name(self) -> str:
        """What torch calls the device."""
        return self.device.removeprefix("torch:")

    def fused(self) -> Backend | None:
        """The backend of the fused kernel, if it is used there. On a processor, in a rehearsal, by
        Triton's interpreter."""
        if self.name != "cpu":
            from modeldiff.changes.backends.fused.choice import fused_backend

            return fused_backend(self.name)
        return self.fused_in(1)

    def fused_in(self, mebibytes: int) -> Backend:
        """That of chunks of another size."""
        from modeldiff.changes.backends.fused.worker import FusedBackend

        return FusedBackend(self.name, mebibytes << 20)

    def timed(self, act: Callable[[], object], times: int = 5) -> float:
        """The median seconds of an act, all of it done; the first does not count."""
        import torch

        seconds = []
        for _ in range(times + 1):
            begun = time.perf_counter()
            act()
            if self.name != "cpu":
                torch.accelerator.synchronize()
            seconds.append(time.perf_counter() - begun)
        return median(seconds[1:])


def card_name(device: str) -> str:
    """What its maker calls it."""
    import torch

    kind, _, index = device.partition(":")
    module: Any = {"cuda": torch.cuda, "xpu": torch.xpu}.get(kind)
    return str(module.get_device_name(int(index))) if module is not None else device


def rate(nbytes: int, seconds: float) -> str:
    """Gigabytes a second."""
    return f"{nbytes / seconds / 1e9:,.1f} GB/s"


def yes(value: bool) -> str:
    """A NO is to be seen."""
    return "yes" if value else "NO"
