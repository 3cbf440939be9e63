"""The app with reads that take their time, so that a small pair is measured as long as a large one
and the processor is the viewers' alone: ``python -m benchmarks.slow_server SECONDS OPTION …``."""

from __future__ import annotations

import sys
import time

from streamlit.web import cli

from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints.local.reader import LocalReader


def main() -> None:
    """Serve; each read of weights waits for so many seconds first."""
    seconds = float(sys.argv[1])
    quick = LocalReader.readinto

    def slow(self: LocalReader, buffer: memoryview, offset: int) -> None:
        time.sleep(seconds)
        quick(self, buffer, offset)

    kernels()  # else the first diff compiles them, and everybody waits
    LocalReader.may_be_mapped = False  # all that is measured is read
    LocalReader.readinto = slow  # type: ignore[method-assign]
    sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
