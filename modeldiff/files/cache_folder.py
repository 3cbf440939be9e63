"""Where files are kept that only save time: they can be deleted at any moment."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "MODELDIFF_CACHE"


def cache_folder(name: str, *, unless: str = "") -> Path:
    """The folder ``name`` in ``MODELDIFF_CACHE`` or the user's cache; it may not exist yet.

    ``unless`` is another variable of the environment: where that is set, it names the folder that
    ``name`` lies in. In both, ``~`` is the user's home.
    """
    for variable in (unless, CACHE_VARIABLE):
        if root := os.environ.get(variable):
            # Unlike Path's method this takes "~nobody" for a name like any other.
            return Path(os.path.expanduser(root)) / name  # noqa: PTH111
    import platformdirs

    return platformdirs.user_cache_path("modeldiff") / name
