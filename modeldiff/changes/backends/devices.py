"""What a diff can be measured on here."""

from __future__ import annotations

import platform
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from modeldiff.errors import InvalidOption
from modeldiff.extras import install_hint
from modeldiff.settings.table import VISIBLE_CARDS

_MOST_JOINED = 64
_GRAMMAR = re.compile(r"(auto|all|cpu|torch:cpu|mps|(?:cuda|xpu)(?::(\d+))?)")


def available_devices() -> tuple[str, ...]:
    """The devices to choose from: ``cpu`` first, then each accelerator that seems to be usable.

    Importing torch takes seconds, so it is not asked: an accelerator seems usable where an
    installed torch was built for it and the system shows a device of that kind. ``resolve_device``
    makes sure. Where there are several, ``all`` stands for them together.
    """
    accelerators = _accelerators()
    return ("cpu", *accelerators, *(["all"] if len(accelerators) > 1 else []))


def resolve_device(device: str) -> str:
    """The device that a name stands for: ``cpu``, ``torch:cpu``, ``cuda:0``, ``mps``, ``xpu:0`` ….

    ``auto`` is the first accelerator that works, else ``cpu``; ``cuda`` is ``cuda:0``, which is
    also what an AMD card is called under ROCm. ``torch:cpu`` is the accelerators' program on the
    processor, there to check one against the other. ``all`` are all accelerators that work, joined
    by ``+``, else ``cpu``; so can others be joined: ``cuda:0+cpu``. Imports torch only where an
    accelerator is asked for or seems to be here.

    Raises ``InvalidOption`` for a name that is none, or a device that is not here.
    """
    require_device_name(device)
    if "+" in device:
        return "+".join(map(resolve_device, device.split("+")))
    if device == "all":
        return "+".join(name for name in _accelerators() if _works(name)) or "cpu"
    if device == "auto":
        usable = (name for name in _accelerators() if _works(name))
        return next(usable, "cpu")
    if device == "cpu":
        return device
    if find_spec("torch") is None:
        raise InvalidOption(
            f"The device {device} needs PyTorch, which is not installed.",
            hint=f"{install_hint('gpu')} Or choose cpu: it computes the same.",
        )
    if device == "torch:cpu":
        return device
    name = f"{device}:0" if device in ("cuda", "xpu") else device
    if not _works(name):
        raise InvalidOption(
            f"PyTorch finds no device {name} here that computes exactly.", hint=_choices()
        )
    return name


def require_device_name(device: str) -> None:
    """Raise ``InvalidOption`` for what no device of any machine is called."""
    names = device.split("+")
    if len(names) > 1 and (len(names) > _MOST_JOINED or {"auto", "all", ""} & set(names)):
        raise InvalidOption(f"There are no devices {device!r}.", hint=_choices())
    if not all(map(_GRAMMAR.fullmatch, names)):
        raise InvalidOption(f"There is no device {device!r}.", hint=_choices())


def _choices() -> str:
    return f"Here are: auto, {', '.join(available_devices())}, torch:cpu."


def _works(name: str) -> bool:
    """Whether torch can compute on this accelerator, and as exactly as the CPU."""
    import torch

    kind, _, index = name.partition(":")
    if kind == "mps":
        return bool(torch.backends.mps.is_available()) and _computes_exactly(name)
    module = torch.cuda if kind == "cuda" else torch.xpu
    here = bool(module.is_available()) and int(index) < module.device_count()
    return here and _computes_exactly(name)


@cache
def _computes_exactly(name: str) -> bool:
    import torch

    from modeldiff.changes.backends.exactness import CHECKED_BYTES, computes_exactly
    from modeldiff.changes.backends.torch_backend import TorchWorker

    worker = TorchWorker(torch.device(name), CHECKED_BYTES)
    try:
        return computes_exactly(worker)
    finally:
        worker.close()


def _accelerators() -> list[str]:
    """Accelerators that torch was built for and of which the system shows a device."""
    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return []
    try:
        built_for = Path(spec.submodule_search_locations[0], "version.py").read_text("utf-8")
    except OSError:
        return []
    devices = []
    if re.search(r"^cuda.*= *['\"]", built_for, re.MULTILINE):
        devices += [f"cuda:{index}" for index in range(_nvidia_cards())]
    elif re.search(r"^hip.*= *['\"]", built_for, re.MULTILINE) and Path("/dev/kfd").exists():
        devices.append("cuda:0")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        devices.append("mps")
    if re.search(r"^xpu.*= *['\"]", built_for, re.MULTILINE) and Path("/dev/dri").exists():
        devices.append("xpu:0")
    return devices


def _nvidia_cards() -> int:
    visible = VISIBLE_CARDS.value()
    cards = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not cards and (sys.platform == "win32" or Path("/dev/dxg").exists()):
        cards = 1  # Windows, and Linux under it, show no device files
    if visible is None:
        return cards
    return min(
        cards, len([entry for entry in visible.split(",") if entry.strip() not in ("", "-1")])
    )
