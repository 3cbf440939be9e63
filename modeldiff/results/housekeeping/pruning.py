"""What goes from the cache: what was not used for too long, and what there is no room for."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from modeldiff.files.atomic import write_atomically
from modeldiff.files.cache_folder import cache_folder
from modeldiff.results.housekeeping.entries import CacheEntry, CacheKind, cache_entries
from modeldiff.results.store.lock import held_if_free
from modeldiff.settings.table import CACHE_DAYS, CACHE_SIZE

_log = logging.getLogger(__name__)
_DAY = 86_400.0
_HOUR = 3_600.0
_HELD_BY_LOCK = (".journal", ".lock")


def prune_cache(*, delete: bool = True) -> tuple[CacheEntry, ...]:
    """Delete what is over the limits of age and size, and return it. Without ``delete``: only say
    what would go. What a running diff needs stays."""
    entries = cache_entries()
    now = time.time()
    old = [entry for entry in entries if _is_old(entry, now)]
    left = [entry for entry in entries if not _is_old(entry, now)]
    excess = sum(entry.nbytes for entry in left) - CACHE_SIZE.value()
    for entry in left:
        if excess <= 0:
            break
        if entry.kind.counts:
            old.append(entry)
            excess -= entry.nbytes
    return _delete(old) if delete else tuple(old)


def prune_daily() -> None:
    """``prune_cache``, unless this machine did within a day. What can't be deleted is left."""
    mark = cache_folder("pruned")
    now, last = time.time(), None
    try:
        if mark.exists():
            last = mark.stat().st_mtime
            if abs(now - last) < _DAY:
                return
        # A new one: in a folder of a group, times of another one's file are not ours to set.
        write_atomically(mark, b"")
        os.utime(mark, (now, now))
    except OSError:
        return  # no cache to write to, so none that grows
    if last is not None:
        _discount_unseen(last, now)
    gone = prune_cache()
    if gone:
        _log.info("%d files went from the cache: old, or over its size", len(gone))


def _discount_unseen(last: float, now: float) -> None:
    """Let the time since the ``last`` look age no file by more than half of what it is kept.

    So long a time is that of a machine that was off, or of a clock that jumped: one that is months
    ahead, if only for a day, would else delete what was used an hour before."""
    for entry in cache_entries():
        days = days_kept(entry.kind)
        if days is None:
            continue
        unseen = now - max(entry.used, last) - days * _DAY / 2
        if unseen > 0:
            _use_later(entry.path, entry.used + unseen)


def _use_later(path: Path, moment: float) -> None:
    """Note that a file was used at a later ``moment`` than it was."""
    try:
        written = path.lstat().st_mtime_ns
        os.utime(path, ns=(int(moment * 1e9), written), follow_symlinks=False)
    except PermissionError:  # of another user of this folder, who lets us write: then it is now
        with contextlib.suppress(OSError):
            os.utime(path, follow_symlinks=False)
    except OSError:
        pass  # gone meanwhile


def clear_cache(kinds: Collection[str] = ()) -> tuple[CacheEntry, ...]:
    """Delete everything of these ``kinds`` (of none: of all), and return it. What a running diff
    needs stays."""
    return _delete(entry for entry in cache_entries() if not kinds or entry.kind.name in kinds)


def days_kept(kind: CacheKind) -> int | None:
    """After how many days without use a file of this kind goes; None for never."""
    return CACHE_DAYS.value() if kind.days is None else kind.days


def _is_old(entry: CacheEntry, now: float) -> bool:
    days = days_kept(entry.kind)
    return days is not None and now - entry.used > days * _DAY


def _delete(entries: Iterable[CacheEntry]) -> tuple[CacheEntry, ...]:
    return tuple(entry for entry in entries if _deleted(entry))


def _deleted(entry: CacheEntry) -> bool:
    path = entry.path
    try:
        if path.suffix == ".tmp" and time.time() - entry.used < _HOUR:
            return False  # somebody may be writing it
        if path.suffix not in _HELD_BY_LOCK:
            path.unlink()
        elif not _delete_unless_held(path):
            return False
        if path.parent.parent.name == "details" and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        _log.warning("%s can't be deleted: %s", path, error)
        return False
    return True


def _delete_unless_held(path: Path) -> bool:
    """Delete a journal or lock file, unless a diff that runs holds the lock. One that begins at
    this moment would at worst be measured twice."""
    lock = path.with_suffix(".lock")
    with held_if_free(lock) as held:
        if held:
            path.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
        return held
