"""The backend of a device."""

from __future__ import annotations

from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.devices import resolve_device


def backend_for(device: str, threads: int | None = None) -> Backend:
    """The backend of a device, by any name that ``resolve_device`` takes; of the CPU, one of so
    many ``threads``, by default one for each core."""
    name = resolve_device(device)
    if name == "cpu":
        return CpuBackend() if threads is None else CpuBackend(threads)
    from modeldiff.changes.backends.torch_backend import TorchBackend

    return TorchBackend(name.removeprefix("torch:"))
