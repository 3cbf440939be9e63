"""A server of a benchmark: started at a port of its own, waited for, looked at, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from modeldiff.files.cache_folder import user_cache

ROOT = Path(__file__).resolve().parent.parent
_LONGEST_START = 300.0


def environment(cache: Path, checkout: Path = ROOT) -> dict[str, str]:
    """What a program of the modeldiff in ``checkout`` needs to have ``cache`` as its own and the
    kernels that this machine has compiled."""
    return {
        **os.environ,
        "MODELDIFF_CACHE": str(cache),
        "MODELDIFF_KERNELS": str(user_cache("modeldiff-kernels")),
        "PYTHONPATH": str(checkout),
    }


@contextmanager
def running(
    command: Sequence[str], settings: Mapping[str, str], checkout: Path = ROOT
) -> Iterator[int]:
    """The process id of Python with ``command`` while it runs in ``checkout``; it is ended."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=checkout,
        env=settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port of the loopback that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Return once something listens at ``port``. Raises ``TimeoutError`` where nothing comes."""
    end = time.monotonic() + _LONGEST_START
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"Nothing listens at port {port}.")


def processor_seconds(pid: int) -> float:
    """The processor time, user and system, that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
