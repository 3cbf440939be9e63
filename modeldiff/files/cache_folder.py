"""Where files are kept that only save time: they can be deleted at any moment."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "MODELDIFF_CACHE"


def cache_folder(name: str) -> Path:
    """The folder ``name`` in ``MODELDIFF_CACHE`` or the user's cache; it may not exist yet. In the
    variable, ``~`` is the user's home."""
    return (folder_setting(CACHE_VARIABLE) or user_cache("modeldiff")) / name


def folder_setting(variable: str) -> Path | None:
    """The folder that a variable of the environment names; None where it is empty or not set."""
    root = os.environ.get(variable)
    # Unlike Path's method this takes "~nobody" for a name like any other.
    return Path(os.path.expanduser(root)) if root else None  # noqa: PTH111


def user_cache(name: str) -> Path:
    """The folder of the program ``name`` in the user's own cache; it may not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path(name)
