"""Credentials where AWS' own tools keep them: profiles in ``~/.aws``.

The environment's own variables, and what a machine in the cloud is given, are read by the library.
Only keys that stand there are taken; whatever needs a program or a login of its own does not.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
_IN_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")


def aws_profile() -> dict[str, str]:
    """What the chosen profile (``AWS_PROFILE``, else ``default``) says, under obstore's names;
    empty where the environment itself has credentials, and where there is no such profile. What
    the environment says of region and endpoint comes first."""
    environment = os.environ
    if "AWS_PROFILE" not in environment and any(name in environment for name in _IN_ENVIRONMENT):
        return {}
    name = environment.get("AWS_PROFILE", "default")
    home = Path.home() / ".aws"
    known: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        path = Path(environment.get(variable) or home / file)
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if parser.has_section(section):
            known |= {_KEYS[key]: value for key, value in parser.items(section) if key in _KEYS}
    if "AWS_REGION" in environment or "AWS_DEFAULT_REGION" in environment:
        known.pop("region", None)
    if "AWS_ENDPOINT_URL" in environment:
        known.pop("endpoint", None)
    return known
