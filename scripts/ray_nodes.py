"""A Ray cluster of several nodes on this machine's loopback, each with an address of its own.

``python -m scripts.ray_nodes MODULE [ARGUMENT ...]`` runs a module in a network of its own where
the system permits that: Ray listens on all interfaces, and there is then nothing but loopback.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 240
_STORE_BYTES = 80_000_000
_NOT_NICE = {"RAY_worker_niceness": "0"}
"""By default what measures has a niceness of 15, and no share of a machine with other work."""
DETECTS_SOON: Mapping[str, str] = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "4",
}
"""A node that died is missed after some seconds, by default after ten to twenty; one that is only
slow is given time."""
_ALONE = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_WAYS = (("unshare", *_ALONE), ("unshare", "--map-root-user", *_ALONE))


def alone() -> tuple[str, ...] | None:
    """What to put before a command so that it has networks, mounts and processes of its own; None
    where this user may not. What it leaves running ends with it."""
    for way in _WAYS:
        if (
            shutil.which(way[0])
            and not subprocess.run([*way, "true"], capture_output=True).returncode
        ):
            return way
    return None


def up_loopback() -> None:
    """Switch the loopback of a new network on."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@dataclass(eq=False)
class RayNodes:
    """The running nodes: a head that measures nothing, and others with a core each.

    ``address`` is the head's, ``token`` what it asks for (empty: nothing), ``folder`` is for what
    it writes, ``logs`` for what the nodes print, ``config`` is of their environment. ``processes``
    and ``mounts`` are by host.
    """

    address: str
    token: str
    folder: Path
    logs: Path
    config: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    mounts: dict[str, Sequence[tuple[Path, Path]]] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The environment of whoever uses the cluster."""
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token} if self.token else {}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "disabled",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_DEDUP_LOGS": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            **own,
        }

    def log_of(self, host: str) -> Path:
        """What the node at ``host`` prints."""
        return self.logs / f"{host}-{self.address.rpartition(':')[2]}.log"

    def start(self, host: str, *, mounts: Sequence[tuple[Path, Path]] = ()) -> None:
        """Start the node at ``host``, the head where ``address`` is there. ``mounts``: what this
        node sees in the place of the second folder is the first."""
        self.mounts[host] = mounts
        self._start(host)

    def _start(self, host: str) -> None:
        mounts = self.mounts[host]
        role = [f"--address={self.address}", "--num-cpus=1"]
        if self._is_head(host):
            role = ["--head", f"--port={self.address.rpartition(':')[2]}", "--num-cpus=0"]
            role += ["--include-dashboard=false", f"--temp-dir={self.folder}"]
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", *role]
        command += ["--disable-usage-stats", f"--node-ip-address={host}"]
        command += [f"--object-store-memory={_STORE_BYTES}"]
        if mounts:
            binding = "".join('mount --bind "$1" "$2" && shift 2 && ' for _ in mounts)
            places = [str(path) for mount in mounts for path in mount]
            command = [
                "unshare",
                "--mount",
                "sh",
                "-c",
                f'{binding}exec "$@"',
                "sh",
                *places,
                *command,
            ]
        with self.log_of(host).open("wb") as log:
            self.processes[host] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment(), **_NOT_NICE, **self.config, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_started(self, *hosts: str) -> None:
        """Wait until these nodes are part of the cluster; one that took too long for Ray, on a busy
        machine, is started again. Raises ``TimeoutError``."""
        deadline = time.monotonic() + _START_SECONDS
        for host in hosts:
            while b"Ray runtime started" not in (said := self.log_of(host).read_bytes()):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"The node {host} did not start: {said[-2000:].decode()}")
                if self.processes[host].poll() is not None:
                    self._start(host)
                time.sleep(0.2)

    def _is_head(self, host: str) -> bool:
        return host == self.address.partition(":")[0]

    def pids(self, host: str) -> list[int]:
        """The processes of a node."""
        return [each.pid for each in self._family(host)]

    def _family(self, host: str) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            head = psutil.Process(self.processes[host].pid)
            return [head, *head.children(recursive=True)]
        return []  # it has ended by itself

    def kill(self, host: str) -> None:
        """End a node and all its processes at once, as a power cut does."""
        family = self._family(host)
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, timeout=10)
        self.processes.pop(host).wait(10)

    def stop(self) -> None:
        """End all nodes."""
        for host in list(self.processes)[::-1]:
            self.kill(host)


@contextmanager
def ray_head(
    port: int, logs: Path, *, with_token: bool = True, config: Mapping[str, str] | None = None
) -> Iterator[RayNodes]:
    """A head that listens at ``port``, without other nodes; all of it ends with the context.

    ``logs`` is a folder, ``config`` what Ray's nodes find in their environment. Raises
    ``TimeoutError``."""
    folder = Path(tempfile.mkdtemp(prefix="mdray-", dir="/tmp"))  # sockets' paths have to be short
    token = secrets.token_hex(32) if with_token else ""
    nodes = RayNodes(f"127.0.0.1:{port}", token, folder, logs, config or {})
    try:
        nodes.start("127.0.0.1")
        _wait_for_port(port, nodes)
        yield nodes
    finally:
        nodes.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_port(port: int, nodes: RayNodes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    log = nodes.log_of("127.0.0.1").read_text(errors="replace")[-2000:]
    raise TimeoutError(f"The head did not start: {log}")


def main() -> int:
    """Run the module that the arguments name, alone where that is permitted."""
    if os.environ.get("RAY_NODES_ALONE") is None and (way := alone()) is not None:
        again = [*way, sys.executable, "-m", "scripts.ray_nodes", *sys.argv[1:]]
        environment = {**os.environ, "RAY_NODES_ALONE": "1"}
        return subprocess.run(again, cwd=ROOT, env=environment).returncode
    if os.environ.pop("RAY_NODES_ALONE", None):
        up_loopback()
    return subprocess.run([sys.executable, "-m", *sys.argv[1:]], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
