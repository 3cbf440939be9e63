"""Whether the fused kernel is of use on a device."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modeldiff.changes.backends.exactness import CHECKED_BYTES, computes_exactly

if TYPE_CHECKING:
    from modeldiff.changes.backends.fused.worker import FusedBackend

_log = logging.getLogger(__name__)


@cache
def fused_backend(device: str) -> FusedBackend | None:
    """The fused kernel's backend for a device of torch's; None where that has no Triton, no
    float64 for the sums, or does not compute exactly what the CPU does, as on Apple's devices and
    on torch's CPU. The eager program does the same there, slower."""
    if device.partition(":")[0] not in ("cuda", "xpu") or find_spec("triton") is None:
        return None
    try:
        return _checked_backend(device)
    except Exception as error:  # of a compiler and a driver that are not ours: there is another way
        _log.warning("Triton cannot be used on %s, torch alone is slower: %s", device, error)
        return None


def _checked_backend(device: str) -> FusedBackend | None:
    import torch

    from modeldiff.changes.backends.fused.worker import FusedBackend, FusedWorker
    from modeldiff.changes.backends.torch_kernels import has_float64

    if not has_float64(torch.device(device)):
        return None
    worker = FusedWorker(torch.device(device), CHECKED_BYTES)
    try:
        exact = computes_exactly(worker)
    finally:
        worker.close()
    if not exact:
        _log.warning("Triton does not compute exactly on %s, torch alone is slower.", device)
    return FusedBackend(device) if exact else None
