"""A pair measured on a card: each way, by the command, with little memory, and by two at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.card.card import Card, Found, rate, yes
from modeldiff.changes import Change
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.engine.engine import walk
from modeldiff.checkpoints import open_checkpoint
from modeldiff.comparison import Comparison

_LONGEST = 120
"""Seconds of a command."""


def measuring(card: Card) -> Iterator[Found]:
    """Every pair of tensors, from the page cache; medians and histograms beside the CPU's."""
    for name, backend in _backends(card):
        changes, seconds = _walked(card, backend)
        card.wanted = card.wanted or changes
        if name.startswith("fused, again"):
            card.measured = min(seconds, card.measured or seconds)
        took = f"{seconds:.2f} s, {rate(card.nbytes, seconds)}, {backend.threads} threads"
        yield name, f"{took}; as the CPU: {yes(_all_same(changes, card.wanted))}"


def _backends(card: Card) -> Iterator[tuple[str, Backend]]:
    from modeldiff.changes.backends.several import SeveralBackend
    from modeldiff.changes.backends.torch_backend import TorchBackend

    yield "cpu", CpuBackend()
    fused = card.fused()
    if fused is not None:
        yield "fused, first", fused
        yield "fused, again", fused
        yield "fused, again and again", fused
    yield "eager", TorchBackend(card.name)
    if fused is not None:
        for chunk in () if card.small else (8, 16, 64):
            yield f"fused, chunks of {chunk} MiB", card.fused_in(chunk)
        yield "fused and the cpu together", SeveralBackend((fused, CpuBackend()))


def command(card: Card) -> Iterator[Found]:
    """What a user waits for: imports, the card's context and compiled kernels included."""
    for turn in ("first",) if card.small else ("first", "again", "once more"):
        begun = time.perf_counter()
        subprocess.run(_diff(card), check=True, stdout=subprocess.DEVNULL, timeout=_LONGEST)
        seconds = time.perf_counter() - begun
        card.command = min(seconds, card.command or seconds)
        yield turn, f"{seconds:.2f} s"


def little_memory(card: Card) -> Iterator[Found]:
    """With less and less of the card for this process: slower, never wrong, never an error."""
    import torch

    if not card.name.startswith("cuda"):
        yield "left out", "memory can only be limited with CUDA"
        return
    whole = torch.cuda.get_device_properties(card.name).total_memory
    backend = card.fused() or list(_backends(card))[-1][1]
    try:
        for gigabytes in (4.0, 1.0, 0.3, 0.02):
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(gigabytes * 1e9 / whole, card.name)
            changes, seconds = _walked(card, backend)
            same = yes(_all_same(changes, card.wanted or changes))
            yield (
                f"{gigabytes} GB",
                f"{seconds:.2f} s, {rate(card.nbytes, seconds)}; as the CPU: {same}",
            )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card.name)


def two_processes(card: Card) -> Iterator[Found]:
    """The whole command, twice at the same time."""
    begun = time.perf_counter()
    running = [subprocess.Popen(_diff(card), stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        codes = [process.wait(_LONGEST) for process in running]
    finally:
        for process in running:
            process.kill()
    yield "both at once", f"{time.perf_counter() - begun:.2f} s, ended with {codes}"


def _walked(card: Card, backend: Backend) -> tuple[list[Change], float]:
    base, target = (open_checkpoint(str(folder)) for folder in card.pair)
    pairs = Comparison.of(base, target).pairs
    begun = time.perf_counter()
    changes = list(walk(pairs, base, target, backend))
    seconds = time.perf_counter() - begun
    card.nbytes = sum(change.pair.nbytes for change in changes)
    return changes, seconds


def _all_same(changes: Sequence[Change], wanted: Sequence[Change]) -> bool:
    return all(_same(one, other) for one, other in zip(changes, wanted, strict=True))


def _same(one: Change, other: Change) -> bool:
    if one.statistics is None or other.statistics is None:
        return one.statistics is other.statistics
    names = ("median_pct", "p05_pct", "p99_pct", "unchanged_pct", "histogram")
    return all(getattr(one.statistics, name) == getattr(other.statistics, name) for name in names)


def _diff(card: Card) -> Sequence[str]:
    folders = map(str, card.pair)
    return (
        *(sys.executable, "-m", "modeldiff", "diff", *folders),
        *("--device", card.device, "--no-cache", "--quiet"),
    )
