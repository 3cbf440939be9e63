"""``python -m benchmarks.beside [--viewers 50] [--rounds 5]``: how much slower a diff is while many
look at it.

One pair of 32 layers is measured again and again, in turn with one tab that nobody sees (who asked
for it has to stay) and beside so many viewers of its heatmap; by the app's own process, and by
``modeldiff worker`` for it. All have their page before the first byte is read. The time is the one
from there to the file with the result. The viewers run on this machine, too, and take a share of
its processors that they would not take of a server's: it is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs import Shape, write_plain
from benchmarks.serving import (
    environment,
    free_port,
    processor_seconds,
    running,
    wait_for,
)
from benchmarks.visitor import Visitor

SHAPE = Shape(32, 2048, 8192, 512, 32, 32000, tied=True, shard_bytes=10**12)
"""Two billion values, 4 GB a side."""
_ARRIVALS_A_SECOND = 10
_SECONDS_OF_QUIET = 3.0
_PATIENCE = 300.0
_SECONDS_BETWEEN_LOOKS = 0.02
_MEASURERS = {"the app itself": False, "modeldiff worker": True}


@dataclass(frozen=True)
class Measured:
    """The seconds that a diff took, and the cores that the app, the worker (if any) and the viewers
    had of the machine meanwhile."""

    seconds: float
    app: float
    worker: float
    viewers: float


async def _look_and_measure(
    port: int, pids: Sequence[int], viewers: int, query: str, gate: Path, results: Path
) -> Measured:
    """Open the gate once all have their page, and wait for the result."""
    asker = Visitor("heatmap", query, seen=False)
    visitors = [Visitor("heatmap", query) for _ in range(viewers)]
    looks = [asyncio.create_task(asker.look(port))]
    try:
        async with asyncio.timeout(_PATIENCE):
            while await asker.press("Measure") is None:
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            for visitor in visitors:
                looks.append(asyncio.create_task(visitor.look(port)))
                await asyncio.sleep(1 / _ARRIVALS_A_SECOND)
            while not all(visitor.answers for visitor in (asker, *visitors)):
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            await asyncio.sleep(_SECONDS_OF_QUIET)
            if any(results.glob("*.parquet")):
                raise RuntimeError("The diff was not held back.")
            used, ours = [processor_seconds(pid) for pid in pids], time.process_time()
            gate.touch()
            began = time.perf_counter()
            while not any(results.glob("*.parquet")):
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            seconds = time.perf_counter() - began
        ours = time.process_time() - ours
        used = [processor_seconds(pid) - u for pid, u in zip(pids, used, strict=True)]
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    app, worker = used[0] / seconds, sum(used[1:]) / seconds
    return Measured(seconds, app, worker, ours / seconds)


def measure(pair: tuple[Path, Path], viewers: int, *, worker: bool) -> Measured:
    """What a diff of ``pair`` takes beside so many ``viewers``, by a server with an empty cache;
    with ``worker``, a process of its own measures for it."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        gate = folder / "gate"
        settings = environment(folder / "cache")
        gated = ["-m", "benchmarks.gated", str(gate)]
        pids = []
        if worker:
            pids.append(stack.enter_context(running([*gated, "worker"], settings)))
            settings["MODELDIFF_WORKER"] = "yes"
        app = [*gated, "app", "--server.port", str(port), "--server.headless", "true"]
        pids.insert(0, stack.enter_context(running(app, settings)))
        wait_for(port)
        query = f"base={pair[0]}&target={pair[1]}"
        results = folder / "cache" / "results"
        look = _look_and_measure(port, pids, viewers, query, gate, results)
        return asyncio.run(look)


def table(viewers: int, runs: dict[str, tuple[list[Measured], list[Measured]]]) -> str:
    """The medians of the runs alone and beside so many ``viewers``, for each that measures, and the
    ratio of the two."""
    lines = [
        f"| measured by | alone s | beside {viewers} viewers s | ratio | cores of it alone | "
        "app's | worker's | the viewers' own | rounds |",
        "| --- " * 9 + "|",
    ]
    for name, (alone, beside) in runs.items():
        took = [statistics.median(run.seconds for run in each) for each in (alone, beside)]
        cells = (
            name,
            *(f"{seconds:.2f}" for seconds in took),
            f"**{took[1] / took[0]:.2f} ×**",
            f"{statistics.median(run.app + run.worker for run in alone):.2f}",
            f"{statistics.median(run.app for run in beside):.2f}",
            f"{statistics.median(run.worker for run in beside):.2f}",
            f"{statistics.median(run.viewers for run in beside):.2f}",
            str(len(beside)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turn, and print the table and the machine's load before and after."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turn (5)")
    parser.add_argument("--folder", type=Path, default=Path(__file__).with_name("pairs") / "32")
    options = parser.parse_args(arguments)
    pair = write_plain(SHAPE, options.folder)
    load = os.getloadavg()[0]
    runs: dict[str, tuple[list[Measured], list[Measured]]] = {n: ([], []) for n in _MEASURERS}
    for number in range(options.rounds):
        for name, worker in _MEASURERS.items():
            for kept, viewers in zip(runs[name], (0, options.viewers), strict=True):
                kept.append(measure(pair, viewers, worker=worker))
                print(f"{number + 1}: {name}, {viewers} viewers: {kept[-1]}", file=sys.stderr)
    print(table(options.viewers, runs))
    print(f"{os.cpu_count()} cores; the machine's load was {load:.1f} before.")


if __name__ == "__main__":
    main()
