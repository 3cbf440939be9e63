"""The backend of a device."""

from __future__ import annotations

from modeldiff.changes.backends.backend import Workshop
from modeldiff.changes.backends.cpu import CpuWorkshop
from modeldiff.changes.backends.devices import resolve_device


def workshop_for(device: str) -> Workshop:
    """The workshop of a device, by any name that ``resolve_device`` takes."""
    name = resolve_device(device)
    if name == "cpu":
        return CpuWorkshop()
    from modeldiff.changes.backends.torch_backend import TorchWorkshop

    return TorchWorkshop(name.removeprefix("torch:"))
