"""``modeldiff worker``: the process that measures for several processes of the app."""

from __future__ import annotations

import signal
import threading
from argparse import Namespace

from modeldiff.cli.terminal import Terminal
from modeldiff.files.cache_folder import cache_folder
from modeldiff.results.jobs.worker import work

_PATIENCE = 15
"""Looks at the lock before another process is said to hold it: the app takes it for a moment."""


def worker_command(options: Namespace, terminal: Terminal) -> None:
    """Measure what the app's processes ask for in the cache, until SIGTERM or Ctrl+C; then end what
    runs, which the next one goes on with."""
    del options
    stop = threading.Event()
    looks = 0

    def waiting() -> None:
        nonlocal looks
        looks += 1
        if looks == _PATIENCE:
            terminal.talk("Another process measures for this cache: waiting for its end.")
        if stop.is_set():
            raise KeyboardInterrupt

    def begun() -> None:
        terminal.talk(f"Measuring what is asked for in {cache_folder('queue')}")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work(stop, waiting=waiting, begun=begun)
