"""``python -m benchmarks.viewers [--viewers 10 30 50]``: how long many viewers of one running diff
wait.

Each viewer is a websocket that behaves as Streamlit's frontend does: it asks for the page, then for
each part of it as often as the server told it to. Nothing is drawn here, so the figures are the
server's. ``--before CHECKOUT`` serves an older modeldiff, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.serving import (
    ROOT,
    environment,
    free_port,
    memory,
    processor_seconds,
    running,
    wait_for,
)
from benchmarks.visitor import Visitor

_LAYERS = 32
_READ_SECONDS = 2.5
_ARRIVALS_A_SECOND = 10
_PAGES = ("", "heatmap", "diagram", "architecture")


_PROBE_EVERY = 1.0
_PATIENCE = 20.0


@dataclass
class _Probes:
    """What is measured beside the viewers, and the seconds that each took."""

    query_stored: str = ""
    clicks: bool = False
    stored_s: list[float] = field(default_factory=list)
    click_s: list[float] = field(default_factory=list)


async def _load(
    port: int, pid: int, viewers: int, seconds: float, query: str, probes: _Probes
) -> str:
    visitors = [Visitor("heatmap", query) for _ in range(viewers)]
    tasks = []
    for visitor in visitors:
        tasks.append(asyncio.create_task(visitor.look(port)))
        await asyncio.sleep(1 / _ARRIVALS_A_SECOND)
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while not all(visitor.answers for visitor in visitors):
                await asyncio.sleep(0.2)
    first = sorted(visitor.answers[0] for visitor in visitors if visitor.answers)
    for visitor in visitors:
        visitor.answers.clear()
        visitor.nbytes = 0
    before = processor_seconds(pid)
    beside = [asyncio.create_task(_probe_stored(port, probes))] if probes.query_stored else []
    if probes.clicks:
        beside.append(asyncio.create_task(_probe_clicks(port, query, probes)))
    await asyncio.sleep(seconds)
    used = (processor_seconds(pid) - before) / seconds
    for task in (*tasks, *beside):
        task.cancel()
    await asyncio.gather(*tasks, *beside, return_exceptions=True)
    again = sorted(wait for visitor in visitors for wait in visitor.answers.values())
    due = sum(1 / pace for visitor in visitors for pace in visitor.intervals.values())
    nbytes = sum(visitor.nbytes for visitor in visitors)
    cells = (
        str(viewers),
        f"{statistics.median(first):.2f} / {first[-1]:.2f}" if first else "none",
        f"{len(again) / seconds:.1f} / {due:.0f}",
        f"{statistics.median(again):.2f} / {again[int(0.95 * len(again))]:.2f}" if again else "-",
        f"{nbytes / seconds / 1e6:.2f}",
        f"{used:.2f}",
        f"{1000 * used * seconds / len(again):.0f}" if again else "-",
        f"{memory(pid) / 1e6:.0f}",
        f"{statistics.median(probes.click_s):.2f}" if probes.click_s else "-",
        f"{statistics.median(probes.stored_s):.2f}" if probes.stored_s else "-",
    )
    return f"| {' | '.join(cells)} |"


async def _probe_stored(port: int, probes: _Probes) -> None:
    """A new visitor after the other opens the heatmap of a pair that is measured."""
    while True:
        visitor = Visitor("heatmap", probes.query_stored)
        look = asyncio.create_task(visitor.look(port))
        wait = await _answer(visitor, 0)
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)
        probes.stored_s.append(wait)
        await asyncio.sleep(_PROBE_EVERY)


async def _probe_clicks(port: int, query: str, probes: _Probes) -> None:
    """One more visitor clicks on one cell after the other."""
    visitor = Visitor("heatmap", query)
    look = asyncio.create_task(visitor.look(port))
    try:
        await _answer(visitor, 0)
        for cell in itertools.count():
            await asyncio.sleep(_PROBE_EVERY)
            number = await visitor.click("clickable_heatmap", "view", {"at": cell})
            if number is not None:
                probes.click_s.append(await _answer(visitor, number))
    finally:
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)


async def _answer(visitor: Visitor, number: int) -> float:
    """The seconds until what was asked for was there; all of the patience where it never was."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while number not in visitor.answers:
                await asyncio.sleep(0.01)
    return visitor.answers.get(number, _PATIENCE)


async def _soak(
    port: int, pid: int, viewers: int, options: argparse.Namespace, queries: Sequence[str]
) -> None:
    """Visitors come, look for a while and leave; print the memory each minute, and what it grew
    from the first full minute on, and from half of the time on for each visit."""
    visits = 0

    async def visit(number: int) -> None:
        nonlocal visits
        for turn in itertools.count(number):
            page, query = _PAGES[turn % len(_PAGES)], queries[turn // len(_PAGES) % len(queries)]
            look = asyncio.create_task(Visitor(page, query).look(port))
            await asyncio.sleep(options.stay)
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
            visits += 1

    tasks = [asyncio.create_task(visit(number)) for number in range(viewers)]
    seen: list[tuple[int, int]] = []
    while len(seen) < max(3, round(options.soak) + 1):
        await asyncio.sleep(60)
        seen.append((memory(pid), visits))
        print(f"minute {len(seen)}: {seen[-1][0] / 1e6:.0f} MB, {visits:,} visits", flush=True)
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    first, half, last = seen[0], seen[len(seen) // 2], seen[-1]
    grown = (last[0] - half[0]) / 1e3 / max(1, last[1] - half[1])
    print(
        f"grew by {(last[0] - first[0]) / 1e6:+.0f} MB in {len(seen) - 1} minutes; "
        f"by {grown:+.2f} kB a visit in the second half",
        flush=True,
    )


def _pair(folder: Path, number: int) -> tuple[Path, Path]:
    """Two models of 32 layers and few elements: what is measured costs nothing."""
    random = np.random.default_rng(number)
    sides = []
    for side in ("base", "target"):
        tensors = {"model.embed_tokens.weight": random.normal(size=(64, 16))}
        for layer in range(_LAYERS):
            for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                tensors[f"model.layers.{layer}.{part}.weight"] = random.normal(size=(16, 16))
            for part in ("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"):
                tensors[f"model.layers.{layer}.{part}.weight"] = random.normal(size=(16, 16))
        path = folder / f"{side}-{number}"
        path.mkdir()
        save_file(tensors, path / "model.safetensors")
        sides.append(path)
    return sides[0], sides[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table; a fresh server and a diff of its own for each number of viewers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[10, 30, 50])
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is watched (15)")
    parser.add_argument("--before", type=Path, default=ROOT, metavar="CHECKOUT")
    parser.add_argument("--clicks", action="store_true", help="one more viewer clicks on cells")
    parser.add_argument(
        "--stored", action="store_true", help="others open the page of a stored result meanwhile"
    )
    parser.add_argument(
        "--soak",
        type=float,
        metavar="MINUTES",
        help="instead, let so many viewers come and go, and say how the memory grows",
    )
    parser.add_argument("--stay", type=float, default=5.0, help="seconds of a visit of a soak (5)")
    options = parser.parse_args(arguments)
    if options.soak is None:
        print(
            "| viewers | first page, median / max s | updates a second, came / due | after s, "
            "median / 95 % | MB/s | cores | ms of a core an update | MB of memory | click s | "
            "stored page s |\n" + "| --- " * 10 + "|"
        )
    for viewers in options.viewers:
        with tempfile.TemporaryDirectory() as name:
            _serve_and_load(Path(name), viewers, options)


def _serve_and_load(folder: Path, viewers: int, options: argparse.Namespace) -> None:
    settings = environment(folder / "cache", options.before)
    base, target = _pair(folder, 0)
    stored = _pair(folder, 1)
    subprocess.run(
        [sys.executable, "-m", "modeldiff", "diff", *map(str, stored)],
        cwd=options.before,
        env=settings,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    port = free_port()
    script = str(ROOT / "benchmarks" / "slow_server.py")
    command = [script, str(_READ_SECONDS), "--server.port", str(port)]
    with running(command, settings, options.before) as pid:
        wait_for(port)
        query = f"base={base}&target={target}"
        query_stored = f"base={stored[0]}&target={stored[1]}"
        # Imports, and begins the diff.
        asyncio.run(_load(port, pid, 1, 2.0, query, _Probes()))
        if options.soak is not None:
            asyncio.run(_soak(port, pid, viewers, options, (query, query_stored)))
            return
        probes = _Probes(query_stored if options.stored else "", options.clicks)
        load = _load(port, pid, viewers, options.seconds, query, probes)
        print(asyncio.run(load), flush=True)


if __name__ == "__main__":
    main()
