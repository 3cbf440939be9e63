"""``modeldiff app``: the app, served by Streamlit on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from modeldiff.cli.terminal import Terminal
from modeldiff.extras import require
from modeldiff.files.bundled import bundled
from modeldiff.settings.startup import is_loopback, require_roots
from modeldiff.settings.table import (
    ALLOW_ALL_PATHS,
    LOGIN,
    LOGIN_HEADER,
    METRICS_ADDRESS,
    ROOTS,
    SERVER_ADDRESS,
)


def serve_app(options: Namespace, terminal: Terminal) -> None:
    """Become Streamlit's server: this process goes on as it, under the same id.

    ``options.passed_on`` goes to ``streamlit run`` behind the script. The settings beside the
    script win over those of the folder that one is in; options win over both.
    ``options.allow_all_paths``: other machines may see all that this user may read. Raises
    ``MissingExtra``, and ``InvalidOption`` where others could look around without that.
    """
    require("app", "The app")
    if METRICS_ADDRESS.value() is not None:
        require("server", "MODELDIFF_METRICS")
    if LOGIN.value() and not LOGIN_HEADER.value():
        require("login", "MODELDIFF_LOGIN")
    if options.allow_all_paths:
        os.environ[ALLOW_ALL_PATHS.name] = "yes"
    address = _address(options.passed_on)
    require_roots(address)
    if not is_loopback(address) and not ROOTS.value():
        terminal.error(
            "warning: all paths are allowed: anyone who reaches the app can open every file that "
            "this user can read."
        )
    # -P: a file in the folder that one is in is not taken for one of the app's libraries.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(bundled("streamlit_app.py"))]
    os.execv(sys.executable, [*command, *options.passed_on])


def _address(passed_on: Sequence[str]) -> str:
    """Where ``streamlit run`` with these options listens."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--server.address", dest="address", default=SERVER_ADDRESS.value())
    address: str = parser.parse_known_args(passed_on)[0].address
    return address
