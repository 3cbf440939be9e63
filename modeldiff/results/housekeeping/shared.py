"""What lies in the store that a team shares: listed, pruned by age, verified, and added to.

Nobody prunes it by itself, and no size bounds it: what one machine's settings say is no rule for
all. A store notes no reading, so age counts from when an object was written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from modeldiff.errors import InvalidOption
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.plain_file import read_plain
from modeldiff.files.sealed_parquet import UNREADABLE, check_seal
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.shared.objects import SharedObject, SharedObjects, shared_objects
from modeldiff.results.shared.sealed_files import DRILL_DOWNS, LARGEST_SEALED, RESULTS, share_sealed
from modeldiff.results.store.shared_headers import forget_shared_list
from modeldiff.settings.table import CACHE_DAYS, SHARED

_DAY = 86_400.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SharedKind:
    """A kind of object: its ``name``, and the ``folder`` in the store. ``days``: so long after it
    was written it may be pruned; None where ``MODELDIFF_CACHE_DAYS`` says."""

    name: str
    folder: str
    days: int | None

    @property
    def days_kept(self) -> int | None:
        """After how many days it may be pruned; None for never."""
        return CACHE_DAYS.value() if self.days is None else self.days


SHARED_KINDS = (
    SharedKind("results", RESULTS, None),
    SharedKind("drill-downs", DRILL_DOWNS, None),
    SharedKind("journals", "journals/", 90),
    SharedKind("leases", "leases/", 1),
)
"""A lease that is held is renewed every few seconds. What is of none of these kinds is not ours."""


@dataclass(frozen=True)
class SharedEntry:
    """An object of the store and its kind."""

    kind: SharedKind
    object: SharedObject


def require_shared() -> SharedObjects:
    """The store that is shared. Raises ``SharedStoreError``, and ``InvalidOption`` where none is
    set."""
    objects = shared_objects()
    if objects is None:
        raise InvalidOption(
            "No store is shared.",
            hint=f"Set {SHARED.name} to an object store's prefix, as s3://team/modeldiff.",
        )
    return objects


def shared_entries() -> tuple[SharedEntry, ...]:
    """All objects of these kinds, the oldest first. Raises as ``require_shared``."""
    objects = require_shared()
    entries = [
        SharedEntry(kind, each) for kind in SHARED_KINDS for each in objects.below(kind.folder)
    ]
    return tuple(sorted(entries, key=lambda entry: entry.object.written))


def prune_shared(*, delete: bool = True) -> tuple[SharedEntry, ...]:
    """Delete what is over its age, and return it; without ``delete``: only say what would go."""
    now = time.time()

    def is_old(entry: SharedEntry) -> bool:
        days = entry.kind.days_kept
        return days is not None and now - entry.object.written > days * _DAY

    return _deleted(filter(is_old, shared_entries()), delete)


def clear_shared(kinds: Collection[str] = (), *, delete: bool = True) -> tuple[SharedEntry, ...]:
    """Delete everything of these ``kinds`` (of none: of all), and return it; without ``delete``:
    only say what would go. A diff that runs elsewhere goes on, and is not found by others."""
    return _deleted((e for e in shared_entries() if not kinds or e.kind.name in kinds), delete)


def verify_shared() -> tuple[int, tuple[tuple[str, str], ...]]:
    """How many results and drill-downs were read, and which can't be used: name and reason.
    Journals are checked line by line by whoever goes on with them."""
    objects = require_shared()
    names = [each.name for folder in (RESULTS, DRILL_DOWNS) for each in objects.below(folder)]
    faults = [(name, fault) for name in names if (fault := _fault(objects, name))]
    return len(names), tuple(faults)


def share_kept() -> tuple[int, int]:
    """Put all results and drill-downs of this machine's cache into the store that it has not: how
    many are there then, and how many should be. What is damaged here is left out with a logged
    warning."""
    require_shared()
    folder = cache_folder("results")
    names: dict[str, Path] = {f"{RESULTS}{path.name}": path for path in folder.glob("*.parquet")}
    for path in (folder / "details").glob("*/*.parquet"):
        names[f"{DRILL_DOWNS}{path.parent.name}/{path.name}"] = path
    return sum(_share(name, path) for name, path in names.items()), len(names)


def _share(name: str, path: Path) -> bool:
    try:
        content = read_plain(path)
        check_seal(content)
    except (OSError, ValueError) as error:
        _log.warning("%s is not shared: %s", path, error)
        return False
    return share_sealed(name, content)


def _deleted(entries: Iterable[SharedEntry], delete: bool) -> tuple[SharedEntry, ...]:
    gone = tuple(entries)
    if delete:
        objects = require_shared()
        objects.delete(*(entry.object.name for entry in gone))
        forget_shared_list()
    return gone


def _fault(objects: SharedObjects, name: str) -> str:
    from modeldiff.results.store.result_parquet import decode_result

    try:
        answer = objects.get(name, LARGEST_SEALED)
        if answer is None:
            return ""  # gone meanwhile
        check_seal(answer[0])
        if name.startswith(RESULTS) and f"{RESULTS}{decode_result(answer[0]).key}.parquet" != name:
            return "it answers another question than its name says"
    except UNREADABLE as error:
        return str(error) or type(error).__name__
    return ""
