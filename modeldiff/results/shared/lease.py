"""A lease: one machine at a time measures a pair, of all that share a store.

A lease is an object that its holder creates and then replaces every few seconds. Nobody's clock is
compared with another's: who waits sees by its own that the object has not changed for a minute, and
takes it by replacing that very object. So of several who wait one gets it, and a holder who was
asleep learns from its next replacement that it has lost.

Who wants many leases looks at all of them first (``look_at_leases``): of several whose holder died
each would otherwise be waited for, one after the other.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Collection

from modeldiff.results.shared.objects import SharedObjects

SECONDS_BETWEEN_BEATS = 15.0
SECONDS_TO_EXPIRY = 60.0
"""So long without a beat, and the holder counts as dead."""
_LARGEST = 1 << 12
_FOLDER = "leases/"
MOST_SIGHTINGS = 1024
"""Far more leases than one process ever waits for at a time."""


class _Sightings:
    """Of leases that somebody else holds, by store and name: the tag that was seen last, and when
    this process saw it first.

    They outlive whoever waited (who tries again need not begin the minute anew), so those that
    nobody asked about for longest make room: of such a lease the minute does begin anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def seconds(self, which: tuple[str, str], tag: str) -> float:
        """For how long this process has seen this lease with this very tag: for 0 seconds, if that
        is new."""
        now = time.monotonic()
        with self._lock:
            known = self._seen.pop(which, None)
            if known is None or known[0] != tag:
                known = tag, now
            self._seen[which] = known
            if len(self._seen) > MOST_SIGHTINGS:
                self._seen.popitem(last=False)
        return now - known[1]

    def forget(self, which: tuple[str, str]) -> None:
        """Nobody else holds this lease now."""
        with self._lock:
            self._seen.pop(which, None)


SIGHTINGS = _Sightings()


def look_at_leases(objects: SharedObjects, names: Collection[str]) -> None:
    """Count from now on whether the holders of these leases live. Raises ``SharedStoreError``."""
    held = {each.name for each in objects.below(_FOLDER)}
    for name in names:
        lease = Lease(objects, name)
        if lease.path in held:
            lease.look()


class Lease:
    """The lease called ``name`` in a store: the object at ``path``. All methods raise
    ``SharedStoreError``."""

    def __init__(self, objects: SharedObjects, name: str) -> None:
        self._objects, self.path = objects, f"{_FOLDER}{name}.json"
        self._holder, self._beats = secrets.token_hex(16), 0
        self._tag: str | None = None

    def take(self) -> bool:
        """Take it if it is free, or if its holder is dead; whether it is held now. To be called
        again and again: a holder is dead once this has seen no beat for ``SECONDS_TO_EXPIRY``."""
        self._tag = self._objects.create(self.path, self._content())
        if self._tag is None:
            self._tag = self._take_over()
        if self._tag is not None:
            SIGHTINGS.forget(self._sighting)
        return self._tag is not None

    def look(self) -> None:
        """See whether it is held: from now on is counted whether its holder lives."""
        current = self._current()
        if current is not None:
            SIGHTINGS.seconds(self._sighting, current[0])

    def beat(self) -> bool:
        """Say that its holder lives; whether it is held still."""
        if self._tag is None:
            return False
        before, self._beats = self._tag, self._beats + 1
        self._tag = self._objects.replace(self.path, self._content(), before) or self._if_ours()
        return self._tag is not None

    def release(self) -> None:
        """Give it back, if it is held still."""
        if self._tag is not None and self._if_ours() == self._tag:
            self._objects.delete(self.path)
        self._tag = None

    def _take_over(self) -> str | None:
        tag = self._if_ours()
        if tag is not None:  # an answer was lost, and the library had asked twice
            return tag
        current = self._current()
        if current is None:
            return None
        tag, _ = current
        if SIGHTINGS.seconds(self._sighting, tag) < SECONDS_TO_EXPIRY:
            return None
        return self._objects.replace(self.path, self._content(), tag)

    @property
    def _sighting(self) -> tuple[str, str]:
        return self._objects.address, self.path

    def _if_ours(self) -> str | None:
        """The tag of the object, if it is this holder's."""
        current = self._current()
        return current[0] if current is not None and current[1] == self._holder else None

    def _current(self) -> tuple[str, str] | None:
        """The object's tag and whose it is; None where there is none."""
        try:
            answer = self._objects.get(self.path, _LARGEST)
        except ValueError:
            return None
        if answer is None:
            return None
        content, tag = answer
        try:
            return tag, str(json.loads(content)["holder"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return tag, ""  # nobody's: it expires like any other

    def _content(self) -> bytes:
        return json.dumps({"holder": self._holder, "beats": self._beats}).encode()
