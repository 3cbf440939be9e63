"""``python -m modeldiff``."""

import signal
import sys

from modeldiff.cli import Terminated, main


def _terminate(signal_number: int, frame: object) -> None:
    raise Terminated


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
