"""``modeldiff app``: the app, served by Streamlit on this machine."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from modeldiff.cli.terminal import Terminal
from modeldiff.extras import require
from modeldiff.files.bundled import bundled


def serve_app(options: Namespace, terminal: Terminal) -> None:
    """Become Streamlit's server: this process goes on as it, under the same id.

    ``options.passed_on`` goes to ``streamlit run`` behind the script. The settings beside the
    script win over those of the folder that one is in; options win over both. Raises
    ``MissingExtra``.
    """
    require("app", "The app")
    # -P: a file in the folder that one is in is not taken for one of the app's libraries.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(bundled("streamlit_app.py"))]
    os.execv(sys.executable, [*command, *options.passed_on])
