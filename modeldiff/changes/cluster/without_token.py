"""Run as a script with a cluster's address: does it answer who has no token? 0: yes; 3: no.

A process of its own, since Ray reads once whether it sends a token: here it never does.
"""

from __future__ import annotations

import importlib
import sys

REFUSED = 3


def ask_without_token() -> int:
    """Ask for nothing in particular; any other error than a refusal is left to Python."""
    library = importlib.import_module("ray._raylet")
    errors = importlib.import_module("ray.exceptions")
    try:
        library.GcsClient(address=sys.argv[1])
    except errors.AuthenticationError:
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(ask_without_token())
