"""Memory on a device and beside it, and what to do where there is none."""

from __future__ import annotations

import torch

from modeldiff.changes.kernels.bins import LEAF

LEAST_BYTES = LEAF * 8
"""The smallest slice that is worth a device: a leaf of the widest type."""

_OUT_OF_MEMORY = (
    "out of memory",
    "out of device memory",  # UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY, says Intel's driver
    "out of host memory",
    "status alloc failed",  # CUBLAS_STATUS_ALLOC_FAILED: no room for the library's own
)


def bind_thread(device: torch.device) -> None:
    """Make the device the calling thread's own. Pinned memory and events are made on it then, and
    no context on the first card, of half a gigabyte, comes to stand beside that of another."""
    if device.type in ("cuda", "xpu"):
        torch.accelerator.set_device_index(device.index or 0)


def host_memory(nbytes: int, device: torch.device) -> torch.Tensor:
    """Bytes in the machine's memory from which the device copies by itself: pinned where that is
    possible, else plain, which the device's driver copies twice."""
    if device.type == "cuda":
        try:
            return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
    return torch.empty(nbytes, dtype=torch.uint8)


def give_back(device: torch.device) -> None:
    """Give what nobody uses any more back to the device's driver, and pinned memory to the system.

    Only CUDA's is pinned here (``host_memory``). Others are not asked for theirs: on Apple's, which
    have no such cache, torch 2.13 crashes at the question.
    """
    if device.type == "cpu":
        return
    torch.accelerator.empty_cache()
    if device.type == "cuda" and hasattr(torch.accelerator, "empty_host_cache"):  # of torch 2.12
        torch.accelerator.empty_host_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it says that memory ran out, the device's or what is pinned."""
    words = str(error).lower().replace("_", " ")
    return any(each in words for each in _OUT_OF_MEMORY)


def smaller(nbytes: int) -> int:
    """The next slice to try where one of ``nbytes`` did not fit: half of it, in whole leaves; 0
    where it was the least."""
    if nbytes <= LEAST_BYTES:
        return 0
    return max(nbytes // 2 // LEAST_BYTES, 1) * LEAST_BYTES
