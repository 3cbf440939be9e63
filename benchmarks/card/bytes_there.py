"""Bytes on their way to a card, and the kernels on bytes that are there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.card.card import Card, Found, rate

_PIECE = 32 << 20
_BRACKET = (0x3E400000, 0x00100000)
"""First bits and width of a bracket that some of the noise below falls into."""


def copies(card: Card) -> Iterator[Found]:
    """What the machine can do: memory to card and back, and page cache to pinned memory."""
    import torch

    from modeldiff.changes.backends.device_memory import bind_thread, host_memory

    device = torch.device(card.name)
    bind_thread(device)
    size = 4 << 20 if card.small else 256 << 20
    begun = time.perf_counter()
    host = host_memory(size, device)
    yield "pinning memory, the first", rate(size, time.perf_counter() - begun)
    begun = time.perf_counter()
    more = host_memory(4 * size, device)
    yield "pinning memory, more", rate(4 * size, time.perf_counter() - begun)
    del more
    there = torch.empty(size, dtype=torch.uint8, device=device)
    host.random_(0, 255)

    def pieces() -> None:
        for start in range(0, size, _PIECE):
            there[start : start + _PIECE].copy_(host[start : start + _PIECE], non_blocking=True)

    seconds = card.timed(lambda: there.copy_(host))
    card.pinned_rate = size / seconds
    yield "pinned memory to the card", rate(size, seconds)
    yield "the same in pieces of 32 MiB", rate(size, card.timed(pieces))
    yield "back", rate(size, card.timed(lambda: host.copy_(there)))
    with TemporaryDirectory(dir=card.pair[0].parent) as folder:
        file = Path(folder, "bytes")
        with file.open("wb") as out:
            for _ in range(1 if card.small else 16):
                out.write(host.numpy().data)
        for threads in (1, 2) if card.small else (1, 2, 4, 8, 12, 16):
            seconds = _read_by(card, file, threads)
            yield (
                f"page cache to pinned memory, {threads} threads",
                rate(file.stat().st_size, seconds),
            )


def _read_by(card: Card, file: Path, threads: int) -> float:
    import torch

    from modeldiff.changes.backends.device_memory import host_memory

    size = file.stat().st_size
    device = torch.device(card.name)
    buffers = [host_memory(_PIECE, device).numpy() for _ in range(threads)]
    descriptor = os.open(file, os.O_RDONLY)

    def read(number: int) -> None:
        for start in range(number * _PIECE, size, threads * _PIECE):
            os.preadv(descriptor, [buffers[number].data], start)

    def all_of_them() -> None:
        running = [threading.Thread(target=read, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    try:
        return card.timed(all_of_them, 3)
    finally:
        os.close(descriptor)


def kernels(card: Card) -> Iterator[Found]:
    """The fused kernel and the eager program, on bytes that are on the card."""
    import torch

    from modeldiff.changes.backends.fused.program import FusedProgram
    from modeldiff.changes.backends.fused.sides import ChunkSide
    from modeldiff.changes.backends.median_bracket import Bracket
    from modeldiff.changes.backends.torch_kernels import measure_slice
    from modeldiff.changes.kernels.bins import LEAF
    from modeldiff.checkpoints import STORED_TYPES

    device = torch.device(card.name)
    n = LEAF if card.small else 256 * LEAF
    bracket = Bracket(*_BRACKET)
    no_table = torch.zeros(256, device=device)
    base = torch.randn(n, device=device) * 0.02
    targets = {
        "noise": base * (1 + 0.2 * torch.randn(n, device=device)),
        "one r": base * 1.5,
        "equal": base.clone(),
    }
    fused = card.fused() is not None
    for name, dtype in (("BF16", torch.bfloat16), ("F32", torch.float32)):
        for what, target in targets.items():
            sides = base.to(dtype), target.to(dtype)
            nbytes = 2 * n * sides[0].element_size()

            def eager(sides: tuple[torch.Tensor, torch.Tensor] = sides) -> None:
                measure_slice(sides[0].float(), sides[1].float(), n, bracket)

            yield f"eager, {name}, {what}", rate(nbytes, card.timed(eager))
            if not fused:
                continue
            program = FusedProgram(device, 4 * n, 4 * n)
            raw = sides[0].view(torch.uint8), sides[1].view(torch.uint8)
            chunk = (
                ChunkSide(raw[0], n, STORED_TYPES[name]),
                ChunkSide(raw[1], n, STORED_TYPES[name]),
            )
            there = chunk[0].on_device(raw[0], no_table), chunk[1].on_device(raw[1], no_table)

            def one_launch(
                program: FusedProgram = program,
                chunk: tuple[ChunkSide, ChunkSide] = chunk,
                there: tuple = there,  # type: ignore[type-arg]
            ) -> None:
                program.launch(chunk, there, 0, n, bracket)

            yield f"fused, {name}, {what}", rate(nbytes, card.timed(one_launch))
