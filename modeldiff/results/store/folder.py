"""The folder in which results are kept on this machine."""

from __future__ import annotations

from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.files.atomic import try_writing
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.group_folder import make_group_folder
from modeldiff.settings.startup import is_server


def results_folder() -> Path:
    """Where results are, below ``MODELDIFF_CACHE`` or the user's cache; it may not exist yet."""
    return cache_folder("results")


def ready_results_folder() -> Path:
    """The folder of results, created if need be and tried by writing to it.

    Raises ``ResultError`` where results can't be kept.
    """
    folder = results_folder()
    try:
        make_group_folder(folder)
        try_writing(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def cannot_write(path: Path, error: OSError) -> ResultError:
    """The error of a cache that can't be written to."""
    where = "here" if is_server() else f"at {path}"
    return ResultError(
        f"Results can't be kept {where}: {error.strerror or type(error).__name__}.",
        hint="Make room or permit writing there, set MODELDIFF_CACHE to a folder that can be "
        "written to, or run the diff with --no-cache.",
    )
