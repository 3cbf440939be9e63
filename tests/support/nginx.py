"""The deployed nginx.conf, made to run in a folder of a test."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "server" / "nginx.conf"


def write_nginx(
    folder: Path, openssl: str, port: int, plain_port: int, apps: Sequence[int], user: str = ""
) -> None:
    """The proxy's file in ``folder``, as it stands but for ports, the app's host and paths, with a
    certificate of its own. ``apps`` are the ports of the app's processes; ``user`` is who is said
    to have logged in."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    servers = "\n".join(f"server 127.0.0.1:{app};" for app in apps)
    for before, after in (
        (" /tmp/", f" {folder}/"),
        ("include mime.types;", ""),
        ("server app:8600;", servers),
        ("listen 80;", f"listen 127.0.0.1:{plain_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ('X-Forwarded-User "";', f'X-Forwarded-User "{user}";'),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    (folder / "tls").mkdir()
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", "tls/server.key", "-out", "tls/server.crt"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
