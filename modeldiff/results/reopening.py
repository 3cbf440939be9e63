"""A result opened again without its checkpoints, by what somebody calls it: a file, a key or the
beginning of one, ``last``, or an entry of the gallery."""

from __future__ import annotations

import os
import re
from pathlib import Path

from modeldiff.errors import ResultError
from modeldiff.results.gallery.collection import GALLERY, gallery_result, load_gallery_result
from modeldiff.results.result import Result
from modeldiff.results.store.given_files import load_given_result
from modeldiff.results.store.result_files import list_results, load_result
from modeldiff.results.store.untrusted import not_a_result, read_result, require_size
from modeldiff.text.quoting import quoted

_KEY_BEGINS = re.compile("[0-9a-f]{4,64}")


def find_result(name: str) -> Result | None:
    """The result that a link's ``name`` means: the key of one that was kept or given on this
    machine, or ``gallery:NAME``. Never a path: links come from anywhere. None where there is
    none."""
    if name.startswith(GALLERY):
        return load_gallery_result(name)
    return load_result(name) or load_given_result(name)


def open_result(name: str) -> Result:
    """The result that ``name`` means: a ``.parquet`` file that was exported or kept, the first four
    or more digits of a kept result's key, ``last`` for the one kept last, or ``gallery:NAME``.

    No checkpoint is opened. Raises ``ResultError``.
    """
    if name.startswith(GALLERY):
        return gallery_result(name)
    if name != "last" and not _KEY_BEGINS.fullmatch(name):
        # Unlike Path's method this takes "~nobody" for a name like any other.
        return _of_file(Path(os.path.expanduser(name)))  # noqa: PTH111
    kept = list_results()
    keys = [header.key for header in kept if name == "last" or header.key.startswith(name)]
    if name == "last":
        keys = keys[:1]
    result = load_result(keys[0]) if len(keys) == 1 else load_given_result(name)
    if result is None:
        several = f"{len(keys):,} results are" if len(keys) > 1 else "No result is"
        called = "kept" if name == "last" else f"kept whose key begins with {name}"
        raise ResultError(
            f"{several} {called}.",
            hint="modeldiff list results shows them all."
            if kept
            else "A result is kept by modeldiff diff BASE TARGET, on this machine and in the "
            "folder of MODELDIFF_CACHE.",
        )
    return result


def _of_file(path: Path) -> Result:
    try:
        require_size(path.stat().st_size)
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ResultError(
            f"There is no result called {quoted(str(path))}.",
            hint="Name a .parquet file, the first digits of a key that modeldiff list results "
            "shows, or last.",
        ) from error
    except (OSError, ValueError, MemoryError) as error:
        raise not_a_result(str(path), error) from error
    return read_result(content, str(path))
