"""Reads files in several threads and copies the bytes to a device, and does nothing with them: no
program that measures there can be faster."""

import os
import queue
import sys
import threading
from pathlib import Path

import torch

CHUNK = 32 << 20
THREADS = max(2, min(6, len(os.sched_getaffinity(0))))

device = torch.device(sys.argv[1])
chunks: queue.SimpleQueue[tuple[Path, int] | None] = queue.SimpleQueue()
for file in (file for folder in sys.argv[2:4] for file in sorted(Path(folder).iterdir())):
    for offset in range(0, file.stat().st_size, CHUNK):
        chunks.put((file, offset))
for _ in range(THREADS):
    chunks.put(None)


def work() -> None:
    """Copies chunks until there are none."""
    pinned = torch.empty(CHUNK, dtype=torch.uint8, pin_memory=device.type == "cuda")
    there = torch.empty(CHUNK, dtype=torch.uint8, device=device)
    while (chunk := chunks.get()) is not None:
        with chunk[0].open("rb", buffering=0) as stream:
            count = os.preadv(stream.fileno(), [pinned.numpy().data], chunk[1])
        there[:count].copy_(pinned[:count], non_blocking=True)
        torch.accelerator.synchronize(device)


threads = [threading.Thread(target=work) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
