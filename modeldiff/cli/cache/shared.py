"""``modeldiff cache … --shared``: the same acts on the store that a team shares."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from modeldiff.cli.cache.words import days_text, files_text
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.errors import InvalidOption
from modeldiff.results.housekeeping.shared import (
    SHARED_KINDS,
    SharedEntry,
    clear_shared,
    prune_shared,
    require_shared,
    share_kept,
    shared_entries,
    verify_shared,
)
from modeldiff.text.formatting import format_bytes, format_count

_DAY = 86_400


def shared_cache_command(options: Namespace, terminal: Terminal) -> int:
    """What ``options.act`` says, in the shared store. Returns 1 where something can't be used, or
    could not be shared."""
    names = [kind.name for kind in SHARED_KINDS]
    unknown = sorted(set(options.kinds) - set(names))
    if unknown:
        raise InvalidOption(
            f"The shared store has no {unknown[0]!r}.", hint=f"It has {', '.join(names)}."
        )
    if options.act == "clear" and not options.kinds:
        raise InvalidOption(
            "The shared store is others', too: cache clear --shared wants to be told what goes.",
            hint=f"Name the kinds: {', '.join(names)}.",
        )
    return _ACTS[options.act](options, terminal)


def _list(options: Namespace, terminal: Terminal) -> int:
    entries = shared_entries()
    total = sum(entry.object.nbytes for entry in entries)
    terminal.line(f"{require_shared().address}: {format_bytes(total)}")
    rows = []
    for kind in SHARED_KINDS:
        own = [entry.object for entry in entries if entry.kind == kind]
        days = kind.days_kept
        rows.append(
            (
                kind.name,
                format_count(len(own)),
                format_bytes(sum(each.nbytes for each in own)),
                days_text(max(0, time.time() - own[0].written) // _DAY) if own else "",
                "no limit" if days is None else days_text(days),
            )
        )
    headers = ("kind", "objects", "size", "oldest", "pruned after")
    for line in table_lines(headers, rows, right=(1, 2, 3, 4), width=terminal.width):
        terminal.line(line)
    return 0


def _prune(options: Namespace, terminal: Terminal) -> int:
    return _report(prune_shared(delete=not options.dry_run), options, terminal)


def _clear(options: Namespace, terminal: Terminal) -> int:
    return _report(clear_shared(options.kinds, delete=not options.dry_run), options, terminal)


def _report(entries: Sequence[SharedEntry], options: Namespace, terminal: Terminal) -> int:
    nbytes = sum(entry.object.nbytes for entry in entries)
    verb = "would be deleted" if options.dry_run else "deleted"
    terminal.line(f"{files_text(len(entries))} of {format_bytes(nbytes)} {verb}.")
    return 0


def _verify(options: Namespace, terminal: Terminal) -> int:
    count, faults = verify_shared()
    for name, reason in faults:
        terminal.line(f"{require_shared().address}/{name}: {reason}")
    terminal.line(f"Checked {files_text(count)}; {len(faults):,} can't be used.")
    return 1 if faults else 0


def _share(options: Namespace, terminal: Terminal) -> int:
    there, kept = share_kept()
    address = require_shared().address
    terminal.line(f"{there:,} of {files_text(kept)} kept here are known to be at {address}.")
    return 0 if there == kept else 1


_ACTS: Mapping[str, Callable[[Namespace, Terminal], int]] = {
    "list": _list,
    "prune": _prune,
    "clear": _clear,
    "verify": _verify,
    "share": _share,
}
