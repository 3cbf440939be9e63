"""The app or the worker, of which the first read of weights waits for a file: ``python -m
benchmarks.gated FILE app|worker OPTION …``. So a diff can be begun, and looked at by many, before
it takes any time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from streamlit.web import cli

from modeldiff.__main__ import run
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints.local.reader import LocalReader

_SECONDS_BETWEEN_LOOKS = 0.005


def main() -> int:
    """Serve; the exit code of the command."""
    gate, program, *options = sys.argv[1:]
    kernels()  # else the first diff compiles them
    _hold_back(Path(gate))
    if program == "worker":
        sys.argv = ["modeldiff", "worker", *options]
        return run()
    sys.argv = ["streamlit", "run", "streamlit_app.py", *options]
    cli.main()
    return 0


def _hold_back(gate: Path) -> None:
    read = LocalReader.readinto

    def wait_and_read(self: LocalReader, buffer: memoryview, offset: int) -> None:
        while not gate.exists():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        LocalReader.readinto = read  # type: ignore[method-assign]
        read(self, buffer, offset)

    LocalReader.may_be_mapped = False  # all that is measured is read
    LocalReader.readinto = wait_and_read  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
