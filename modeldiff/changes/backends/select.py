"""The backend of a device."""

from __future__ import annotations

from dataclasses import replace

from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.devices import resolve_device


def backend_for(device: str, threads: int | None = None) -> Backend:
    """The backend of a device, or of several, by any name that ``resolve_device`` takes; of the
    CPU, one of so many ``threads``, by default one for each core."""
    names = resolve_device(device).split("+")
    sharing = sum(name != "cpu" for name in names)
    backends = [_backend_of(name, threads, sharing) for name in names]
    if len(backends) == 1:
        return backends[0]
    from modeldiff.changes.backends.several import SeveralBackend

    return SeveralBackend(tuple(backends))


def _backend_of(name: str, threads: int | None, sharing: int) -> Backend:
    if name == "cpu":
        return CpuBackend() if threads is None else CpuBackend(threads)
    from modeldiff.changes.backends.fused.choice import fused_backend
    from modeldiff.changes.backends.torch_backend import TorchBackend

    return replace(
        fused_backend(name) or TorchBackend(name.removeprefix("torch:")), sharing=sharing
    )
