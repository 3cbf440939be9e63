"""``python -m benchmarks.accelerator [--device cuda:0] [--size 8b] [--folder /dev/shm] [--keep]``:
how near measuring on a card comes to the speed at which bytes can be copied to it.

One run sets side by side: what the machine can copy; the fused kernel and the eager program on
bytes that are on the card; whether both give the CPU's bits; a pair from memory, by each way and
with several numbers of threads; the whole command; little memory on the card; two processes on one.
Where there is no card it says so and measures nothing; ``--rehearse`` goes through all of it on
torch's CPU with a pair of a few megabytes, whose numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.pairs import SHAPES, Shape, make_pair, write_plain
from benchmarks.report import keep, machine
from modeldiff.changes import Change, resolve_device
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.engine.engine import walk
from modeldiff.checkpoints import open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption

REHEARSAL = Shape(2, 256, 512, 128, 4, 1000, tied=True, shard_bytes=10**9)
Row = tuple[str, str, str]
"""A part, what was measured in it, and what came out."""
_PIECE = 32 << 20


def main() -> int:
    """Runs the benchmark; 2 where there is no card to run it on."""
    options = _options()
    device = "torch:cpu"
    if not options.rehearse:
        try:
            device = resolve_device(options.device)
        except InvalidOption as error:
            print(f"{error} {error.hint}", file=sys.stderr)
            device = "cpu"
        if device == "cpu" or "+" in device:
            print("There is no single accelerator to measure here: nothing was run.")
            return 2
    title = "A rehearsal on torch's CPU: these numbers mean nothing"
    if not options.rehearse:
        title = f"Measuring on {_card(device)}"
    with TemporaryDirectory() as folder:
        if options.rehearse:
            pair = write_plain(REHEARSAL, Path(folder))
        else:
            print(f"Building the {options.size} pair below {options.folder} …", file=sys.stderr)
            pair = make_pair(options.size, options.folder)
        text = table(title, rows(device, pair, small=options.rehearse))
    print(text)
    if options.keep and not options.rehearse:
        keep("accelerator", text)
    return 0


def rows(device: str, pair: tuple[Path, Path], *, small: bool = False) -> Iterator[Row]:
    """All parts on a device and a pair of folders; ``small``: so much that a processor can do it.
    A part that fails says with what, and the others are still run."""
    name = device.removeprefix("torch:")
    parts: list[tuple[str, Callable[[], Iterator[tuple[str, str]]]]] = [
        ("copying", lambda: _copies(name, small)),
        ("kernel", lambda: _kernels(name, small)),
        ("exactness", lambda: _exactness(name)),
        ("measuring", lambda: _measuring(name, pair)),
        ("command", lambda: _command(device, pair)),
        ("little memory", lambda: _little_memory(name, pair)),
        ("two processes", lambda: _two_processes(device, pair)),
    ]
    for part, act in parts:
        try:
            for what, result in act():
                print(f"{part}: {what}: {result}", file=sys.stderr)
                yield part, what, result
        except Exception as error:  # the run on a borrowed card goes on
            yield part, "failed", f"{type(error).__name__}: {str(error)[:200]}"


def table(title: str, rows_: Iterator[Row]) -> str:
    """In Markdown."""
    lines = [f"| {part} | {what} | {result} |" for part, what, result in rows_]
    return "\n".join([f"### {title}", "", "| | | |", "| --- | --- | --- |", *lines, "", machine()])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, xpu … (auto)")
    parser.add_argument("--size", choices=tuple(SHAPES), default="8b")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where the pair is")
    parser.add_argument("--rehearse", action="store_true", help="without a card, small")
    parser.add_argument("--keep", action="store_true", help="put the table into the README")
    return parser.parse_args()


def _card(device: str) -> str:
    import torch

    kind, _, index = device.partition(":")
    module: Any = {"cuda": torch.cuda, "xpu": torch.xpu}.get(kind)
    return str(module.get_device_name(int(index))) if module is not None else device


def _copies(device: str, small: bool) -> Iterator[tuple[str, str]]:
    """What the machine can do: memory to card and back, and page cache to pinned memory."""
    import torch

    from modeldiff.changes.backends.device_memory import bind_thread, host_memory

    bind_thread(torch.device(device))
    size = 4 << 20 if small else 256 << 20
    host, there = (
        host_memory(size, torch.device(device)),
        torch.empty(size, dtype=torch.uint8, device=device),
    )
    host.random_(0, 255)

    def pieces() -> None:
        for start in range(0, size, _PIECE):
            there[start : start + _PIECE].copy_(host[start : start + _PIECE], non_blocking=True)

    yield "pinned memory to the card", _rate(size, _timed(device, lambda: there.copy_(host)))
    yield "the same in pieces of 32 MiB", _rate(size, _timed(device, pieces))
    yield "back", _rate(size, _timed(device, lambda: host.copy_(there)))
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder, "bytes")
        with file.open("wb") as out:
            for _ in range(1 if small else 16):
                out.write(host.numpy().data)
        for threads in (1, 2) if small else (1, 2, 4, 8, 12, 16):
            seconds = _read_by(file, threads, device)
            rate = _rate(file.stat().st_size, seconds)
            yield f"page cache to pinned memory, {threads} threads", rate


def _read_by(file: Path, threads: int, device: str) -> float:
    import torch

    from modeldiff.changes.backends.device_memory import host_memory

    size = file.stat().st_size
    buffers = [host_memory(_PIECE, torch.device(device)).numpy() for _ in range(threads)]
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
        return _timed("cpu", all_of_them)
    finally:
        os.close(descriptor)


def _kernels(device: str, small: bool) -> Iterator[tuple[str, str]]:
    """The fused kernel and the eager program, on bytes that are on the card."""
    import torch

    from modeldiff.changes.backends.median_bracket import Bracket
    from modeldiff.changes.backends.torch_kernels import measure_slice
    from modeldiff.changes.kernels.bins import LEAF
    from modeldiff.checkpoints import STORED_TYPES

    n = LEAF if small else 256 * LEAF
    bracket = Bracket(0x3E400000, 0x00100000)
    base = torch.randn(n, device=device) * 0.02
    targets = {
        "noise": base * (1 + 0.2 * torch.randn(n, device=device)),
        "one r": base * 1.5,
        "equal": base.clone(),
    }
    for name, dtype in (("BF16", torch.bfloat16), ("F32", torch.float32)):
        for what, target in targets.items():
            sides = base.to(dtype), target.to(dtype)
            nbytes = 2 * n * sides[0].element_size()
            eager = _timed(
                device,
                lambda sides=sides: measure_slice(  # type: ignore[misc]
                    sides[0].float(), sides[1].float(), n, bracket
                ),
            )
            yield f"eager, {name}, {what}", _rate(nbytes, eager)
            if device == "cpu":  # Triton's interpreter says nothing of its compiler
                continue
            from modeldiff.changes.backends.fused.program import FusedProgram
            from modeldiff.changes.backends.fused.sides import ChunkSide

            program = FusedProgram(torch.device(device), 4 * n, 4 * n)
            raw = [side.view(torch.uint8) for side in sides]
            chunk = (
                ChunkSide(raw[0], n, STORED_TYPES[name]),
                ChunkSide(raw[1], n, STORED_TYPES[name]),
            )
            no_table = torch.zeros(256, device=device)
            there = chunk[0].on_device(raw[0], no_table), chunk[1].on_device(raw[1], no_table)
            fused = _timed(
                device,
                lambda program=program, chunk=chunk, there=there: program.launch(  # type: ignore[misc]
                    chunk, there, 0, n, bracket
                ),
            )
            yield f"fused, {name}, {what}", _rate(nbytes, fused)


def _exactness(device: str) -> Iterator[tuple[str, str]]:
    import torch

    from modeldiff.changes.backends.exactness import CHECKED_BYTES, computes_exactly
    from modeldiff.changes.backends.fused.choice import fused_backend
    from modeldiff.changes.backends.torch_backend import TorchWorker

    eager = TorchWorker(torch.device(device), CHECKED_BYTES)
    yield "eager gives the CPU's bits", _yes(computes_exactly(eager))
    eager.close()
    yield "fused gives the CPU's bits, and is used", _yes(fused_backend(device) is not None)


def _backends(device: str) -> Iterator[tuple[str, Backend]]:
    from modeldiff.changes.backends.fused.choice import fused_backend
    from modeldiff.changes.backends.torch_backend import TorchBackend

    yield "cpu", CpuBackend()
    yield "eager", TorchBackend(device)
    fused = fused_backend(device)
    if fused is None:
        return
    from modeldiff.changes.backends.fused.worker import FusedBackend

    yield "fused, first", fused
    yield "fused, again", fused
    for chunk in (8, 16, 64):
        yield f"fused, chunks of {chunk} MiB", FusedBackend(device, chunk << 20)


def _measuring(device: str, pair: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    """Every pair of tensors, from the page cache; medians and histograms beside the CPU's."""
    wanted: list[Change] | None = None
    for name, backend in _backends(device):
        changes, seconds, nbytes = _walked(pair, backend)
        wanted = wanted or changes
        same = all(_same(one, other) for one, other in zip(changes, wanted, strict=True))
        rate = f"{seconds:.2f} s, {_rate(nbytes, seconds)}, {backend.threads} threads"
        yield name, f"{rate}; as the CPU: {_yes(same)}"


def _walked(pair: tuple[Path, Path], backend: Backend) -> tuple[list[Change], float, int]:
    base, target = (open_checkpoint(str(folder)) for folder in pair)
    pairs = Comparison.of(base, target).pairs
    begun = time.perf_counter()
    changes = list(walk(pairs, base, target, backend))
    seconds = time.perf_counter() - begun
    return changes, seconds, sum(change.pair.nbytes for change in changes)


def _same(one: Change, other: Change) -> bool:
    if one.statistics is None or other.statistics is None:
        return one.statistics is other.statistics
    names = ("median_pct", "p05_pct", "p99_pct", "unchanged_pct", "histogram")
    return all(getattr(one.statistics, name) == getattr(other.statistics, name) for name in names)


def _command(device: str, pair: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    """What a user waits for: imports, the card's context and compiled kernels included."""
    command = _diff(device, pair)
    for turn in ("first", "again", "once more"):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield turn, f"{time.perf_counter() - begun:.2f} s"


def _diff(device: str, pair: tuple[Path, Path]) -> Sequence[str]:
    folders = map(str, pair)
    return (
        *(sys.executable, "-m", "modeldiff", "diff", *folders),
        *("--device", device, "--no-cache", "--quiet"),
    )


def _little_memory(device: str, pair: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    """With less and less of the card for this process: slower, never wrong, never an error."""
    import torch

    if not device.startswith("cuda"):
        yield "left out", "memory can only be limited with CUDA"
        return
    whole = torch.cuda.get_device_properties(device).total_memory
    backend = list(_backends(device))[-1][1]
    for gigabytes in (4.0, 1.0, 0.3, 0.02):
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(gigabytes * 1e9 / whole, device)
        _, seconds, nbytes = _walked(pair, backend)
        yield f"{gigabytes} GB", f"{seconds:.2f} s, {_rate(nbytes, seconds)}"
    torch.cuda.set_per_process_memory_fraction(1.0, device)


def _two_processes(device: str, pair: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    begun = time.perf_counter()
    running = [subprocess.Popen(_diff(device, pair), stdout=subprocess.DEVNULL) for _ in range(2)]
    codes = [process.wait() for process in running]
    yield "both at once", f"{time.perf_counter() - begun:.2f} s, ended with {codes}"


def _timed(device: str, act: Callable[[], object], times: int = 5) -> float:
    """The median seconds of an act, all of it done; the first does not count."""
    import torch

    seconds = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        act()
        if device != "cpu":
            torch.accelerator.synchronize()
        seconds.append(time.perf_counter() - begun)
    return median(seconds[1:])


def _rate(nbytes: int, seconds: float) -> str:
    return f"{nbytes / seconds / 1e9:,.1f} GB/s"


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


if __name__ == "__main__":
    sys.exit(main())
