"""``python -m benchmarks.viewers [--viewers 10 30 50]``: how long many viewers of one running diff
wait.

Each viewer is a websocket that behaves as Streamlit's frontend does: it asks for the page, then for
each part of it as often as the server told it to. Nothing is drawn here, so the figures are the
server's. ``--before CHECKOUT`` serves an older modeldiff, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from modeldiff.files.cache_folder import user_cache

ROOT = Path(__file__).resolve().parent.parent
_LAYERS = 32
_READ_SECONDS = 2.5
_ARRIVALS_A_SECOND = 10


@dataclass
class Measured:
    """What the viewers saw: seconds until each had the first page, and until each part that was
    asked for again came; parts that are due a second, and bytes that came."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    due: dict[tuple[int, str], float] = field(default_factory=dict)
    nbytes: int = 0


class _Viewer:
    def __init__(self, number: int, query: str, measured: Measured) -> None:
        self._number, self._query, self._measured = number, query, measured
        self._asked: list[float] = []
        self._beats: dict[str, asyncio.Task[None]] = {}

    async def look(self, port: int) -> None:
        origin = Origin(f"http://127.0.0.1:{port}")
        address = f"ws://127.0.0.1:{port}/_stcore/stream"
        async with connect(
            address, origin=origin, subprotocols=[Subprotocol("streamlit")], max_size=None
        ) as socket_:
            began: float | None = time.perf_counter()
            await self._ask(socket_)
            try:
                async for content in socket_:
                    assert isinstance(content, bytes)
                    self._measured.nbytes += len(content)
                    message = ForwardMsg()
                    message.ParseFromString(content)
                    kind = message.WhichOneof("type")
                    if kind == "auto_rerun":
                        part, interval = message.auto_rerun.fragment_id, message.auto_rerun.interval
                        self._follow(socket_, part, interval)
                    elif kind == "script_finished":
                        if began is not None:
                            self._measured.first.append(time.perf_counter() - began)
                            began = None
                        elif self._asked:
                            asked = self._asked.pop(0)
                            self._measured.again.append(time.perf_counter() - asked)
            finally:
                for beat in self._beats.values():
                    beat.cancel()

    def _follow(self, socket_: ClientConnection, part: str, interval: float) -> None:
        if part in self._beats:
            self._beats[part].cancel()
        self._measured.due[self._number, part] = 1 / interval
        self._beats[part] = asyncio.create_task(self._beat(socket_, part, interval))

    async def _beat(self, socket_: ClientConnection, part: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            if len(self._asked) <= len(self._beats):  # the frontend asks once for what is under way
                self._asked.append(time.perf_counter())
                await self._ask(socket_, part)

    async def _ask(self, socket_: ClientConnection, part: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = "heatmap"
        if part:
            message.rerun_script.fragment_id = part
            message.rerun_script.is_auto_rerun = True
        await socket_.send(message.SerializeToString())


async def _load(port: int, pid: int, viewers: int, seconds: float, query: str) -> str:
    measured = Measured()
    tasks = []
    for number in range(viewers):
        tasks.append(asyncio.create_task(_Viewer(number, query, measured).look(port)))
        await asyncio.sleep(1 / _ARRIVALS_A_SECOND)
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while len(measured.first) < viewers:
                await asyncio.sleep(0.2)
    measured.again.clear()
    measured.nbytes = 0
    before = _processor_seconds(pid)
    await asyncio.sleep(seconds)
    used = (_processor_seconds(pid) - before) / seconds
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    first, again = sorted(measured.first), sorted(measured.again)
    cells = (
        str(viewers),
        f"{statistics.median(first):.2f} / {first[-1]:.2f}" if first else "none",
        f"{len(again) / seconds:.1f} / {sum(measured.due.values()):.0f}",
        f"{statistics.median(again):.2f} / {again[int(0.95 * len(again))]:.2f}" if again else "-",
        f"{measured.nbytes / seconds / 1e6:.2f}",
        f"{used:.2f}",
        f"{1000 * used * seconds / len(again):.0f}" if again else "-",
        f"{_memory(pid) / 1e6:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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
    options = parser.parse_args(arguments)
    print(
        "| viewers | first page, median / max s | parts a second, came / due | after s, median / "
        "95 % | MB/s | cores | ms of a core a part | MB of memory |\n" + "| --- " * 8 + "|"
    )
    for viewers in options.viewers:
        with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
            folder = Path(name)
            base, target = _pair(folder, viewers)
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            probe.close()
            _serve_and_load(options.before, folder, port, viewers, options.seconds, base, target)


def _serve_and_load(
    checkout: Path, folder: Path, port: int, viewers: int, seconds: float, base: Path, target: Path
) -> None:
    script = ROOT / "benchmarks" / "slow_server.py"
    server = subprocess.Popen(
        [sys.executable, str(script), str(_READ_SECONDS), "--server.port", str(port)],
        cwd=checkout,
        env={
            **os.environ,
            "MODELDIFF_CACHE": str(folder / "cache"),
            "MODELDIFF_KERNELS": str(user_cache("modeldiff-kernels")),
            "PYTHONPATH": str(checkout),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(900):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        query = f"base={base}&target={target}"
        asyncio.run(_load(port, server.pid, 1, 2.0, query))  # imports, and begins the diff
        print(asyncio.run(_load(port, server.pid, viewers, seconds, query)), flush=True)
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
