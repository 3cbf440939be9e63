"""A server of the app on a free loopback port, and a Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

ROOT = Path(__file__).resolve().parent.parent
FROM_CHECKOUT = (sys.executable, "-m", "streamlit", "run", "streamlit_app.py")
_START_SECONDS = _STOP_SECONDS = 120
_SETTLE_MS = 120_000  # a busy machine is no failure

# Quiet on a machine without a network: nothing of the browser's own looks for updates.
_CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Nothing waits for its code, is about to be replaced, or grew since the last look.
_STANDS_STILL = """() => {
  if (document.querySelector('[data-testid=stSkeleton], [data-stale=true]')) return false
  const sizes = [...document.querySelectorAll('[data-testid=stElementContainer]')]
    .map((element) => Math.round(element.getBoundingClientRect().height)).join()
  const still = sizes === window.sizesBefore
  window.sizesBefore = sizes
  return still
}"""


@dataclass(frozen=True)
class Server:
    """A running app. ``cache`` is where its results are, ``log`` what it printed, ``process`` what
    runs it."""

    url: str
    cache: Path
    log: Path
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serve(
    folder: Path,
    command: Sequence[str] = FROM_CHECKOUT,
    directory: Path = ROOT,
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve the app until the block ends, with a cache and a log of its own in ``folder``.

    ``command`` starts it in ``directory``, and is told a ``port`` (a free one, without it) by
    Streamlit's option. ``environment`` is added to this process' own.
    """
    port = port or free_port()
    environment = environment or {}
    path = environment.get("STREAMLIT_SERVER_BASE_URL_PATH", "").rstrip("/")
    cache, log_file = folder / "cache", folder / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--server.port={port}"],
            cwd=directory,
            env={**os.environ, "MODELDIFF_CACHE": str(cache), **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        server = Server(f"http://127.0.0.1:{port}{path}", cache, log_file, process)
        try:
            _wait_until_healthy(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def launch_chromium(playwright: Playwright) -> Browser:
    """The machine's Chromium, or Playwright's own where there is none."""
    return playwright.chromium.launch(executable_path=_executable(), args=list(_CHROMIUM_FLAGS))


def launch_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    """The same Chromium with a profile in ``folder``, as a reader's: there it keeps the files of
    the app and their compiled code, which are most of the work of opening a page."""
    return playwright.chromium.launch_persistent_context(
        folder, executable_path=_executable(), args=list(_CHROMIUM_FLAGS)
    )


def settle(page: Page) -> None:
    """Wait until the script has run and all that it asked for is drawn and stands still."""
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]", timeout=_SETTLE_MS
    )
    page.wait_for_function(_STANDS_STILL, polling=100, timeout=_SETTLE_MS)


def _executable() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def _wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"The server stopped at once:\n{server.log.read_text()}")
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise TimeoutError(f"No server after {_START_SECONDS} s:\n{server.log.read_text()}")
