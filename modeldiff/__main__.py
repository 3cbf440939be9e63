"""``modeldiff``, which is also ``python -m modeldiff``."""

import signal
import sys

from modeldiff.cli import Terminated, main


def _terminate(signal_number: int, frame: object) -> None:
    raise Terminated


def run() -> int:
    """Run the command line as a program of its own, and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    return main()


if __name__ == "__main__":
    sys.exit(run())
