"""Whether what is kept is what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from modeldiff.checkpoints.given_configs import given_fault
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.plain_file import read_plain
from modeldiff.files.sealed_file import read_sealed
from modeldiff.files.sealed_parquet import UNREADABLE, check_seal
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.housekeeping.entries import CacheEntry, cache_entries
from modeldiff.results.store.journal import journal_fault
from modeldiff.results.store.lock import held_if_free


@dataclass(frozen=True)
class CacheFault:
    """A file of the cache that can't be used, and why."""

    entry: CacheEntry
    reason: str


def verify_cache() -> tuple[int, tuple[CacheFault, ...]]:
    """How many files were looked at, and those that can't be used. Each would be measured again
    when it is next asked for.

    Looked at are those that carry a hash of themselves. Kernels, and what was read of the Hub, are
    checked whenever they are used.
    """
    entries = [entry for entry in cache_entries() if entry.kind.name in _CHECKS]
    faults = ((entry, _fault(entry)) for entry in entries)
    return len(entries), tuple(CacheFault(entry, reason) for entry, reason in faults if reason)


def _fault(entry: CacheEntry) -> str:
    try:
        return _CHECKS[entry.kind.name](entry.path)
    except FileNotFoundError:
        return ""  # gone meanwhile
    except UNREADABLE as error:
        return str(error) or type(error).__name__


def _of_result(path: Path) -> str:
    from modeldiff.results.store.result_parquet import decode_result

    result = decode_result(read_plain(path))
    return "" if result.key == path.stem else "it answers another question than its name says"


def _of_sealed(path: Path) -> str:
    check_seal(read_plain(path))
    return ""


def _of_journal(path: Path) -> str:
    with held_if_free(path.with_suffix(".lock")) as free:
        return journal_fault(path, path.name.partition(".")[0]) if free else ""


def _of_config(path: Path) -> str:
    """Of one that somebody brought, which lies in a folder of its own, or of a listing."""
    if path.parent != cache_folder("configs"):
        return given_fault(path, read_plain(path))
    whole = read_sealed(path) is not None
    return "" if whole else "it is not what was written, or of another version"


def _of_small_file(path: Path) -> str:
    return "" if read_sealed(path) is not None else "it is not what was written"


_CHECKS: Mapping[str, Callable[[Path], str]] = {
    "results": _of_result,
    "drill-downs": _of_sealed,
    "given": _of_sealed,
    "journals": _of_journal,
    "configs": _of_config,
    "headers": _of_small_file,
}
