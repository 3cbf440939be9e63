"""A real OpenID provider on loopback (oidc-provider-mock), in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.serving import free_port


@contextmanager
def oidc_provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The address of a provider at which ``people`` log in with a click on their name: the claims
    of each, by name. It knows every client."""
    port = free_port()
    arguments = [f"--port={port}", "--no-refresh-token=true"]
    for name, claims in people.items():
        arguments += ["--user-claims", json.dumps({"sub": name, **claims})]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"{url}/.well-known/openid-configuration"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The provider does not start.")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def write_secrets(path: Path, *, app: str, provider: str, more: str = "") -> None:
    """Streamlit's secrets for an app at ``app`` whose users log in at ``provider``; ``more`` are
    further lines of its section."""
    path.write_text(
        f"""[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "{"secret of the test " * 3}"
client_id = "modeldiff"
client_secret = "of the client"
server_metadata_url = "{provider}/.well-known/openid-configuration"
{more}
""",
        encoding="utf-8",
    )


class TokensOf(set[str]):
    """The access tokens that the ``provider`` gave to ``names``: it is asked for each."""

    def __init__(self, provider: str, names: Collection[str]) -> None:
        super().__init__()
        self._provider, self._names = provider, names

    def __contains__(self, token: object) -> bool:
        request = urllib.request.Request(
            f"{self._provider}/userinfo", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)["sub"] in self._names
        except urllib.error.HTTPError:
            return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
