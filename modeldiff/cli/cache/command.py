"""``modeldiff cache``: what is kept on this machine, made smaller, and looked through."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from modeldiff.cli.cache.shared import shared_cache_command
from modeldiff.cli.cache.words import days_text, files_text
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.errors import InvalidOption
from modeldiff.files.cache_folder import cache_folder
from modeldiff.results.housekeeping.entries import (
    CACHE_KINDS,
    KIND_NAMES,
    CacheEntry,
    cache_entries,
)
from modeldiff.results.housekeeping.pruning import clear_cache, days_kept, prune_cache
from modeldiff.results.housekeeping.verifying import verify_cache
from modeldiff.settings.table import CACHE_SIZE, SHARED
from modeldiff.text.formatting import format_bytes, format_count

_DAY = 86_400


def cache_command(options: Namespace, terminal: Terminal) -> int:
    """What ``options.act`` says, on this machine or in the shared store. Returns 1 where something
    that is kept can't be used, or could not be shared."""
    if options.kinds and options.act != "clear":
        raise InvalidOption(
            f"cache {options.act} is for the whole cache.", hint="Only cache clear takes kinds."
        )
    if options.shared or options.act == "share":
        return shared_cache_command(options, terminal)
    unknown = sorted(set(options.kinds) - set(KIND_NAMES))
    if unknown:
        raise InvalidOption(
            f"The cache has no {unknown[0]!r}.", hint=f"It has {', '.join(KIND_NAMES)}."
        )
    return _ACTS[options.act](options, terminal)


def _list(options: Namespace, terminal: Terminal) -> int:
    entries = cache_entries()
    rows = [_row(name, [e for e in entries if e.kind.name == name]) for name in KIND_NAMES]
    total = sum(entry.nbytes for entry in entries)
    most = format_bytes(CACHE_SIZE.value())
    terminal.line(f"{cache_folder('.')}: {format_bytes(total)}, of at most {most}")
    headers = ("kind", "files", "size", "unused for", "goes after")
    for line in table_lines(headers, rows, right=(1, 2, 3, 4), width=terminal.width):
        terminal.line(line)
    if SHARED.value() is not None:
        terminal.line(f"Shared at {SHARED.value()}: see modeldiff cache list --shared")
    return 0


def _row(name: str, entries: Sequence[CacheEntry]) -> Sequence[str]:
    kept = {days_kept(kind) for kind in CACHE_KINDS if kind.name == name}
    days = min((each for each in kept if each is not None), default=None)
    oldest = max(0, time.time() - entries[0].used) // _DAY if entries else None
    return (
        name,
        format_count(len(entries)),
        format_bytes(sum(entry.nbytes for entry in entries)),
        "" if oldest is None else days_text(oldest),
        "no limit" if days is None else days_text(days),
    )


def _prune(options: Namespace, terminal: Terminal) -> int:
    would = "would be " if options.dry_run else ""
    _report(prune_cache(delete=not options.dry_run), f"{would}deleted", terminal)
    return 0


def _clear(options: Namespace, terminal: Terminal) -> int:
    if options.dry_run:
        entries = [e for e in cache_entries() if not options.kinds or e.kind.name in options.kinds]
        _report(entries, "would be deleted", terminal)
    else:
        _report(clear_cache(options.kinds), "deleted", terminal)
    return 0


def _report(entries: Sequence[CacheEntry], what: str, terminal: Terminal) -> None:
    nbytes = sum(entry.nbytes for entry in entries)
    terminal.line(f"{files_text(len(entries))} of {format_bytes(nbytes)} {what}.")


def _verify(options: Namespace, terminal: Terminal) -> int:
    count, faults = verify_cache()
    for fault in faults:
        terminal.line(f"{fault.entry.path}: {fault.reason}")
    terminal.line(f"Checked {files_text(count)}; {len(faults):,} can't be used.")
    return 1 if faults else 0


_ACTS: Mapping[str, Callable[[Namespace, Terminal], int]] = {
    "list": _list,
    "prune": _prune,
    "clear": _clear,
    "verify": _verify,
}
