"""Where files are kept that only save time: they can be deleted at any moment."""

from __future__ import annotations

from pathlib import Path

from modeldiff.settings.table import CACHE


def cache_folder(name: str) -> Path:
    """The folder ``name`` in ``MODELDIFF_CACHE`` or the user's cache; it may not exist yet."""
    return (CACHE.value() or user_cache("modeldiff")) / name


def user_cache(name: str) -> Path:
    """The folder of the program ``name`` in the user's own cache; it may not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path(name)
