"""Configs that somebody brings: a ``config.json`` without a folder, kept to be opened by its name.

What is in it is read by the same careful reader as any other config.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from modeldiff.checkpoints.formats.config_json import MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.local.allowed_paths import given_configs_folder
from modeldiff.errors import DamagedCheckpoint
from modeldiff.files.atomic import write_atomically
from modeldiff.files.group_folder import make_group_folder
from modeldiff.files.plain_file import open_plain

_NAME = re.compile(r"[^\w.-]+", re.ASCII)


def keep_given_config(content: bytes, name: str) -> str:
    """Keep a config's ``content`` and return the reference that opens it. ``name`` is what the file
    was called, for people.

    Raises ``DamagedCheckpoint`` where it is no config, ``OSError`` where it can't be kept.
    """
    if len(content) > MAX_CONFIG_BYTES:
        raise DamagedCheckpoint("The file is too large for a config.json.")
    config, warnings = parse_config(content, "config.json")
    if config is None:
        raise DamagedCheckpoint(
            warnings[0] if warnings else "The file is no config.json.",
            hint="Give the config.json of a transformers model.",
        )
    stem = _NAME.sub("-", name.removesuffix(".json"))[:40].strip(".-") or "config"
    if stem == "config":
        stem = _NAME.sub("-", str(config.get("model_type", "config")))[:40].strip(".-") or "config"
    folder = given_configs_folder() / _folder_name(content)
    make_group_folder(folder)
    path = folder / f"{stem}.json"
    if not _holds(path, content):  # written anew, it would be another file and be opened anew
        write_atomically(path, content)
    return f"given:{folder.name}/{stem}"


def given_fault(path: Path, content: bytes) -> str:
    """What is wrong with the ``content`` of a given config that was kept at ``path``; empty where
    it is what was brought."""
    same = path.parent.name == _folder_name(content)
    return "" if same else "its content is not what was brought"


def _folder_name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _holds(path: Path, content: bytes) -> bool:
    try:
        with open_plain(path) as file:
            return file.read(len(content) + 1) == content
    except OSError:
        return False
