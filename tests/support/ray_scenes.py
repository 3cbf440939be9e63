"""What happens on a real Ray cluster on loopback, told as JSON: run by ``scripts.ray_nodes``.

One cluster for all scenes, as it takes long to start. Node 2 has a copy of the target of its own,
node 3 sees the same disk as the driver.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from modeldiff.changes import Change
from modeldiff.changes.cluster import ray_measurer
from modeldiff.changes.cluster.ray_cluster import connected_ray
from modeldiff.changes.cluster.ray_measurer import RayCluster
from modeldiff.changes.cluster.tasks import remote_task
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, ModeldiffError
from modeldiff.model import Model
from modeldiff.results import run_diff
from modeldiff.results.fleet.measuring import run_fleet
from scripts.ray_nodes import DETECTS_SOON, RayNodes, ray_head
from tests.support import s3_server
from tests.support.results import cache_at
from tests.support.same_statistics import bits_of_row, same
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import normal, write_checkpoint

_PORT, _OPEN_PORT = 6391, 6392
_HEAD, _COPY, _SHARED = "127.0.0.1", "127.0.0.2", "127.0.0.3"
_TENSORS, _ELEMENTS = 120, 3_000
_TASK_BYTES = 5 * 2 * 4 * _ELEMENTS
"""Five pairs."""
_EARLY = 20
"""The row from which on something happens: most is still to be measured."""
_SECONDS = 120
_WAITS, _MEASURES = "ray::IDLE", "ray::_measure_on_node"
"""What Ray calls its processes."""


class Scenes:
    """The pair, the cluster that measures it, and what plain measuring gives."""

    def __init__(self, folder: Path, nodes: RayNodes) -> None:
        self.folder, self.nodes = folder, nodes
        self.comparison = Comparison.open(str(folder / "base"), str(folder / "target"))
        self.plain = run_diff(self.comparison, device="cpu", cache=False)
        self.cluster = RayCluster("cpu", _TASK_BYTES)
        self.submitted = 0
        submit = remote_task

        def counted(run: Any, *arguments: Any, **options: Any) -> Any:
            self.submitted += len(run)
            return submit(run, *arguments, **options)

        vars(ray_measurer)["remote_task"] = counted

    def run(self, at_row: Callable[[int], None] | None = None, **options: Any) -> dict[str, Any]:
        """A diff on the cluster; ``at_row`` is called with the number of each row."""
        rows: list[Change] = []
        self.submitted = 0

        def on_change(change: Change) -> None:
            rows.append(change)
            if at_row is not None:
                at_row(len(rows))

        started = time.monotonic()
        result = run_diff(self.comparison, measurer=self.cluster, on_change=on_change, **options)
        return {
            "equal": same(result, self.plain),
            "rows": len(rows),
            "twice": len(rows) - len({change.pair.id for change in rows}),
            "submitted": self.submitted,
            "device": result.header.device,
            "seconds": round(time.monotonic() - started, 1),
        }

    def from_store(self) -> dict[str, Any]:
        """The same pair in an object store, which each node reads for itself."""
        comparison = Comparison.open("s3://models/base", "s3://models/target")
        result = run_diff(comparison, measurer=self.cluster, cache=False)
        there, here = (
            [(change.pair.id, *bits_of_row(change)[1:]) for change in each.changes]
            for each in (result, self.plain)
        )
        return {"equal": there == here, "rows": len(there)}

    def worker_killed(self) -> dict[str, Any]:
        """The processes that measure on a node hang, and die a second later."""

        def kill(pids: list[int]) -> None:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

        return self._lost(_COPY, kill)

    def node_killed(self) -> dict[str, Any]:
        """All that measures on a node hangs, and the whole node dies a second later."""

        return self._lost(_SHARED, lambda _: self.nodes.kill(_SHARED))

    def _lost(self, host: str, kill: Callable[[list[int]], None]) -> dict[str, Any]:
        """A diff of which a node's processes that measure, or wait for that, stop while one of them
        has a task, and are killed a second later: what they were given until then stays undone."""
        stopped: list[int] = []

        def at_row(number: int) -> None:
            if stopped or number < _EARLY:
                return
            words = {pid: _words(pid) for pid in self.nodes.pids(host)}
            if any(_MEASURES in text for text in words.values()):
                stopped.extend(
                    pid for pid, text in words.items() if _WAITS in text or _MEASURES in text
                )
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                threading.Timer(1.0, kill, (stopped,)).start()

        return {**self.run(at_row, cache=False), "stopped": len(stopped)}

    def cancelled(self) -> dict[str, Any]:
        """Somebody stops the diff, and asks for it again later."""

        def stop(number: int) -> None:
            if number == _EARLY:
                raise Cancelled("stopped")

        with cache_at(self.folder / "cancelled"):
            try:
                self.run(stop)
            except Cancelled:
                before = {"before": self.submitted, "idle": _until(self._idle, 30)}
                return {**self.run(), **before}
        return {}

    def _idle(self) -> bool:
        ray = connected_ray()
        return bool(ray.available_resources().get("CPU") == ray.cluster_resources().get("CPU"))

    def files_of_a_node(self, change: Callable[[Path], None]) -> dict[str, Any]:
        """The copy that node 2 has is another, or is gone."""
        copy, kept = self.folder / "copy", self.folder / "kept"
        shutil.copytree(copy, kept, dirs_exist_ok=True)
        deadline = time.monotonic() + _SECONDS
        try:
            change(copy)
            while time.monotonic() < deadline:  # until the node gets a part of it
                self.run(cache=False)
        except ModeldiffError as error:
            return {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        finally:
            for file in kept.iterdir():
                shutil.copy2(file, copy)
        return {}

    def fleet(self) -> dict[str, Any]:
        """Several targets of one base."""
        targets = [str(self.folder / "target"), str(self.folder / "other")]
        with cache_at(self.folder / "fleet here"):
            here = run_fleet(Model.open(str(self.folder / "base")), targets, device="cpu")
        self.submitted = 0
        with cache_at(self.folder / "fleet there"):
            base = Model.open(str(self.folder / "base"))
            there = run_fleet(base, targets, measurer=self.cluster)
        return {
            "equal": there == here,
            "submitted": self.submitted,
            "bytes": [there.bytes_read, there.bytes_apart],
        }


def _words(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def write_models(folder: Path) -> None:
    """A base, two targets and a copy of the first."""
    for seed, name in enumerate(("base", "target", "other")):
        tensors = {
            f"tensor.{at}": (
                "F32",
                encode(normal(_ELEMENTS, at) + 0.01 * seed * normal(_ELEMENTS, 1000 * seed), "F32"),
            )
            for at in range(_TENSORS)
        }
        write_checkpoint(folder / name, tensors, 3)
    shutil.copytree(folder / "target", folder / "copy")


def command(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """``modeldiff`` with these arguments, which measures for itself: nobody's result is taken."""
    return subprocess.Popen(
        [sys.executable, "-m", "modeldiff", *arguments, "--no-cache"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """How a command ended."""
    output, errors = process.communicate(timeout=_SECONDS)
    return {"status": process.returncode, "output": output, "errors": errors}


def changed(copy: Path) -> None:
    """Other values in the last file, of the same size, at the same time."""
    file = copy / "model-00003-of-00003.safetensors"
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[-4 * _ELEMENTS :] = bytes(4 * _ELEMENTS)
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def gone(copy: Path) -> None:
    """No last file."""
    (copy / "model-00003-of-00003.safetensors").unlink()


def play(folder: Path) -> dict[str, Any]:
    """All scenes, by name."""
    write_models(folder)
    told: dict[str, Any] = {}
    with s3_server.s3_server() as store, ray_head(_PORT, folder, config=DETECTS_SOON) as nodes:
        for name in ("base", "target"):
            s3_server.put_folder(store, name, folder / name)
        # The nodes find what a store wants in their own environment.
        os.environ.update(s3_server.environment(store))
        nodes.await_started(_HEAD)
        nodes.start(_COPY, mounts=[(folder / "copy", folder / "target")])
        nodes.start(_SHARED)
        pair = (str(folder / "base"), str(folder / "target"))
        with ray_head(_OPEN_PORT, folder, with_token=False) as unsafe:
            told["open"] = ended(command(unsafe.environment(), "diff", *pair, "--on", "ray"))
        nodes.await_started(_COPY, _SHARED)
        asks = {
            "token": command(
                nodes.environment() | {"RAY_AUTH_TOKEN": "f" * 64}, "diff", *pair, "--on", "ray"
            ),
            "nobody": command(
                nodes.environment() | {"RAY_ADDRESS": "127.0.0.1:9"}, "diff", *pair, "--on", "ray"
            ),
            "starts": command(
                nodes.environment() | {"RAY_ADDRESS": "local"}, "diff", *pair, "--on", "ray"
            ),
        }
        os.environ.update(nodes.environment())
        ray = connected_ray()
        scenes = Scenes(folder, nodes)
        told["nodes"] = _until(lambda: ray.cluster_resources().get("CPU", 0) == 2, _SECONDS)
        told["whole"] = scenes.run(cache=False)
        asks["json"] = command(nodes.environment(), "diff", *pair, "--on", "ray", "--json")
        told |= {name: ended(process) for name, process in asks.items()}
        told["store"] = scenes.from_store()
        told["fleet"] = scenes.fleet()
        told["changed"] = scenes.files_of_a_node(changed)
        told["gone"] = scenes.files_of_a_node(gone)
        told["mended"] = scenes.run(cache=False)
        told["worker killed"] = scenes.worker_killed()
        told["cancelled"] = scenes.cancelled()
        told["node killed"] = scenes.node_killed()
        ray.shutdown()
    return told


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(play(Path(sys.argv[1]))))
