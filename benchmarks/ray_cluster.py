"""``python -m benchmarks.ray_cluster``: the 1B pair plain, and on a Ray cluster of this machine.

A head that measures nothing and two nodes with a core each, on loopback (``scripts/ray_nodes.py``);
a worker is killed in the middle, then a whole node. The result is each time compared with the plain
one, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

from benchmarks.pairs import SHAPES, make_pair
from benchmarks.report import keep, machine
from modeldiff.changes import Change
from modeldiff.changes.cluster.ray_cluster import connected_ray
from modeldiff.changes.cluster.ray_measurer import RayCluster
from modeldiff.comparison import Comparison
from modeldiff.results import Result, run_diff
from scripts.ray_nodes import ROOT, RayNodes, ray_head

_PORT, _NODES = 6391, ("127.0.0.2", "127.0.0.3")
_START_SECONDS = 120
_PLAIN = "plain, 2 threads"


def main() -> int:
    """Runs it, in a network of its own where the system permits that."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_cluster", description=__doc__)
    parser.add_argument("size", nargs="?", choices=tuple(SHAPES), default="1b")
    parser.add_argument("--runs", type=int, default=3, help="of plain and of warm, in turn (3)")
    parser.add_argument("--keep", action="store_true", help="put the table into the README")
    parser.add_argument("--folder", type=Path, default=Path(__file__).with_name("pairs"))
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    base, target = make_pair(options.size, options.folder)
    if not options.alone:
        again = ["scripts.ray_nodes", "benchmarks.ray_cluster", *sys.argv[1:], "--alone"]
        return subprocess.run([sys.executable, "-m", *again], cwd=ROOT).returncode
    with tempfile.TemporaryDirectory() as logs, _cluster(Path(logs)) as nodes:
        text = _Benchmark(Comparison.open(str(base), str(target)), nodes).table(options.runs)
        connected_ray().shutdown()
    print(text)
    if options.keep:
        keep(f"ray-{options.size}", text)
    return 0


@contextmanager
def _cluster(logs: Path) -> Iterator[RayNodes]:
    with ray_head(_PORT, logs) as nodes:
        nodes.await_started("127.0.0.1")
        for host in _NODES:
            nodes.start(host)
        nodes.await_started(*_NODES)
        os.environ.update(nodes.environment())
        ray = connected_ray()
        deadline = time.monotonic() + _START_SECONDS
        while ray.cluster_resources().get("CPU", 0) < len(_NODES):
            if time.monotonic() > deadline:
                raise TimeoutError("The nodes did not join.")
            time.sleep(0.2)
        yield nodes


class _Benchmark:
    """The pair, and the seconds of each way to measure it."""

    def __init__(self, comparison: Comparison, nodes: RayNodes) -> None:
        self._comparison, self._nodes = comparison, nodes
        self._plain: Result | None = None
        self._seconds: dict[str, list[float]] = {}
        self._load: list[float] = []

    def table(self, runs: int) -> str:
        """All ways, as Markdown."""
        self._run(_PLAIN, RayCluster("cpu"), on_ray=False)  # the page cache, and the kernels here
        self._seconds = {_PLAIN: []}
        self._run("Ray, first tasks of its workers", RayCluster("cpu"))
        for _ in range(runs):
            self._run(_PLAIN, RayCluster("cpu"), on_ray=False)
            self._run("Ray, warm", RayCluster("cpu"))
        rows = self._comparison.unmeasured.statuses["compared"]
        self._run("Ray, a worker killed in the middle", RayCluster("cpu"), (rows // 2, _kill_one))
        kill = self._nodes.kill
        self._run(
            "Ray, a node killed in the middle",
            RayCluster("cpu"),
            (rows // 3, lambda: kill(_NODES[-1])),
        )
        plain = median(self._seconds[_PLAIN])
        lines = [
            f"### {self._comparison.nbytes / 1e9:.2f} GB on a Ray cluster of one machine",
            "",
            "| | wall | beside plain | runs |",
            "| --- | --- | --- | --- |",
        ]
        for name, seconds in self._seconds.items():
            each = median(seconds)
            lines.append(f"| {name} | {each:.1f} s | {each / plain:.1f} × | {len(seconds)} |")
        load = f"Load {min(self._load):.0f} to {max(self._load):.0f} from other work. "
        return "\n".join(
            [
                *lines,
                "",
                "All results equal the plain one bit for bit. Two nodes with a core each share the "
                "two cores that plain has to itself: this shows what Ray costs. Its workers have "
                f"no niceness here, by default 15. {load}Beside other work several processes get "
                f"more of the cores than one does. {machine()}",
            ]
        )

    def _run(
        self,
        name: str,
        cluster: RayCluster,
        event: tuple[int, Callable[[], None]] | None = None,
        *,
        on_ray: bool = True,
    ) -> None:
        rows = 0

        def on_change(change: Change) -> None:
            nonlocal rows
            rows += change.statistics is not None
            if event is not None and rows == event[0] and change.statistics is not None:
                event[1]()

        self._load.append(os.getloadavg()[0])
        started = time.monotonic()
        result = run_diff(
            self._comparison,
            device="cpu",
            measurer=cluster if on_ray else None,
            cache=False,
            on_change=on_change,
        )
        seconds = time.monotonic() - started
        self._plain = self._plain or result
        if list(result.changes) != list(self._plain.changes):
            raise AssertionError(f"{name}: the result is another")
        self._seconds.setdefault(name, []).append(seconds)
        print(f"{name}: {seconds:.1f} s", file=sys.stderr)


def _kill_one() -> None:
    """End one process that measures for Ray."""
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "_measure_on_node" in words:
            os.kill(process.pid, signal.SIGKILL)
            return


if __name__ == "__main__":
    sys.exit(main())
