"""One process of this machine, and one machine of those that share a store, measures a pair.

The lock is this machine's, the lease the store's. While another machine has the lease its journal
is copied here piece by piece, so that whoever waits sees its rows; if it dies, the journal is
there to go on with. Whoever has the lease sends its journal's new lines with every beat.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from modeldiff.changes.engine.sharding import Shard
from modeldiff.errors import ResultError
from modeldiff.files.atomic import write_atomically
from modeldiff.files.plain_file import require_plain
from modeldiff.results.shared import lease as leases
from modeldiff.results.shared.lease import Lease
from modeldiff.results.shared.objects import (
    SharedObjects,
    SharedStoreError,
    if_reachable,
    shared_objects,
)
from modeldiff.results.shared.sealed_files import drop_shared
from modeldiff.results.shared.segments import LARGEST_PIECE, Segments, segment_folders
from modeldiff.results.store.folder import cannot_write
from modeldiff.results.store.journal import (
    journal_form,
    journal_path,
    merge_journals,
    shard_called,
)
from modeldiff.results.store.lock import held_alone, held_if_free
from modeldiff.settings.table import SHARED

_JOURNALS = "journals/"
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_CALLS = 0.2
_AT_ONCE = 8
"""So many journals of shards are fetched at a time."""
_log = logging.getLogger(__name__)


class Question:
    """A question ``key``, or a shard of it, that this process alone measures: the ``path`` of its
    journal in the cache. ``waiting`` is called while another machine has it."""

    def __init__(self, path: Path, key: str, waiting: Callable[[], None]) -> None:
        self.path = path
        self._take = partial(_taken, path, key, waiting)
        self._shared = self._take()

    def publish(self) -> None:
        """Put what the journal holds now where others find it. Raises ``ResultError`` where a store
        is shared and does not take it, or somebody else's journal stands there by now."""
        if SHARED.value() is None:
            return
        # A store that did not answer at the beginning may well do so at the end.
        self._shared = self._shared or self._take()
        if self._shared is None or not self._shared.publish():
            raise ResultError(
                "What was measured is kept on this machine alone: the shared store did not take "
                "it.",
                hint="Run the same command again when it does: nothing is measured twice.",
            )

    def end(self) -> None:
        """Give it back."""
        if self._shared is not None:
            self._shared.end()


@contextmanager
def measuring_alone(
    folder: Path, key: str, shard: Shard | None, waiting: Callable[[], None]
) -> Iterator[Question]:
    """Hold a question, the whole diff of this ``key`` or a ``shard`` of it, while it is measured.

    ``folder`` is that of results. ``waiting`` is called again and again until the question is free,
    here and at all who share a store, and may raise to give up. A store that can't be reached is
    gone on without: at worst two machines then measure the same pair, and either result is right.
    Raises ``ResultError`` where the folder can't be written to.
    """
    path = journal_path(folder, key, shard)
    with held_alone(path.with_suffix(".lock"), waiting):
        question = Question(path, key, waiting)
        try:
            yield question
        finally:
            question.end()


def look_ahead(folder: Path, keys: Iterable[str]) -> None:
    """See who measures the whole diffs of these ``keys`` at machines that share a store, before one
    after the other is held: then those whose machine is dead are waited for all at once.
    ``folder`` is that of results."""
    with if_reachable():
        objects = shared_objects()
        if objects is not None:
            leases.look_at_leases(objects, [journal_path(folder, key).stem for key in keys])


def collect_journals(folder: Path, key: str) -> bool:
    """Copy the journals of this key's shards that are shared into the ``folder`` of results, but
    those that a process here is writing. False where a store is shared and did not give all."""
    with if_reachable():
        objects = shared_objects()
        if objects is None:
            return True
        ending = f"/{journal_form(key)}/"
        names = {
            each.removeprefix(f"{_JOURNALS}{key}/").removesuffix(ending)
            for each in segment_folders(objects, f"{_JOURNALS}{key}/")
        }

        from concurrent.futures import ThreadPoolExecutor  # late: for who joins alone

        def collect(shard: Shard) -> None:
            path = journal_path(folder, key, shard)
            with held_if_free(path.with_suffix(".lock")) as free:
                if free:
                    SharedJournal(objects, path, key).merge()

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="shared journals") as threads:
            # In a list, so as to hear of what went wrong.
            [*threads.map(collect, {*filter(None, map(shard_called, names))})]
        return True
    return False


def drop_journals(key: str) -> None:
    """Delete all shared journals of this key: its result is stored."""
    with if_reachable():
        drop_shared(f"{_JOURNALS}{key}/")


def _taken(path: Path, key: str, waiting: Callable[[], None]) -> SharedJournal | None:
    with if_reachable():
        objects = shared_objects()
        if objects is not None:
            shared = SharedJournal(objects, path, key)
            shared.take(waiting)
            return shared
    return None


class SharedJournal:
    """The journal at ``path``, of the question ``key``, and its copy in a store."""

    def __init__(self, objects: SharedObjects, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._lease = Lease(objects, path.stem)
        # All of a diff below one folder: whoever joins lists no other's.
        which = path.stem.removeprefix(key).removeprefix(".") or "whole"
        self._pieces = Segments(objects, f"{_JOURNALS}{key}/{which}/{journal_form(key)}/")
        self._publishing = threading.Lock()
        self._over = threading.Event()
        self._is_ours = True
        self._thread = threading.Thread(target=self._beat, name="modeldiff lease", daemon=True)

    def take(self, waiting: Callable[[], None]) -> None:
        """Wait until no other machine has the question, and take it with what is known of it.

        Once another is known to have it, a store that fails for a moment is waited for, too: the
        other goes on, and whatever is measured here meanwhile is measured twice. Raises
        ``SharedStoreError``."""
        answered: float | None = None
        while True:
            try:
                if self._lease.take():
                    break
                answered = time.monotonic()
                self._follow()
            except SharedStoreError:
                silent = math.inf if answered is None else time.monotonic() - answered
                if silent > leases.SECONDS_TO_EXPIRY:
                    raise
            looked = time.monotonic()
            while time.monotonic() - looked < _SECONDS_BETWEEN_LOOKS:
                waiting()
                time.sleep(_SECONDS_BETWEEN_CALLS)
        try:
            self.merge()
        except BaseException:
            with suppress(ResultError):
                self._lease.release()
            raise
        self._thread.start()

    def merge(self) -> None:
        """Bring what the store's copy holds into the journal. Raises ``ResultError``."""
        self._pieces.read_on()
        there, here = bytes(self._pieces.content), self._content()
        merged = merge_journals(self._key, there, here)
        if not merged.startswith(there):  # damaged: what can be read of it is written anew
            self._pieces.delete()
        if there and merged != here:
            try:
                write_atomically(self._path, merged)
            except OSError as error:
                raise cannot_write(self._path, error) from error

    def publish(self) -> bool:
        """Put whole lines that the journal has and its copy has not into the store; whether that is
        this machine's still. Raises ``SharedStoreError``."""
        with self._publishing:
            while self._is_ours and (piece := self._next_piece()):
                self._is_ours = self._pieces.add(piece)
            return self._is_ours

    def end(self) -> None:
        """Give the question back; the copy goes where the journal has gone."""
        self._over.set()
        self._thread.join()
        with if_reachable():
            if self._path.exists():
                self.publish()
            elif self._is_ours:
                self._pieces.delete()
            self._lease.release()

    def _beat(self) -> None:
        while self._is_ours and not self._over.wait(leases.SECONDS_BETWEEN_BEATS):
            with if_reachable():
                self._is_ours = self._lease.beat()
                self.publish()
        if not self._is_ours:
            _log.warning(
                "This pair is not held for this machine alone any more: another one may be "
                "measuring it, too."
            )

    def _follow(self) -> None:
        """Let the journal grow with its copy, unless it holds something else."""
        here = self._content()
        self._pieces.read_on()
        there = self._pieces.content
        if there.startswith(here) and len(there) > len(here):
            with suppress(OSError):
                require_plain(self._path)
                with self._path.open("ab") as file:
                    file.write(there[len(here) :])

    def _content(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""

    def _next_piece(self) -> bytes:
        try:
            require_plain(self._path)
            with self._path.open("rb") as file:
                file.seek(len(self._pieces.content))
                piece = file.read(LARGEST_PIECE)
        except OSError:  # gone, or no journal of ours
            return b""
        return piece[: piece.rfind(b"\n") + 1]
