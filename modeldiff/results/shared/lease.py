"""A lease: one machine at a time measures a pair, of all that share a store.

A lease is an object that its holder creates and then replaces every few seconds. Nobody's clock is
compared with another's: who waits sees by its own that the object has not changed for a minute, and
takes it by replacing that very object. So of several who wait one gets it, and a holder who was
asleep learns from its next replacement that it has lost.
"""

from __future__ import annotations

import json
import secrets
import time

from modeldiff.results.shared.objects import SharedObjects

SECONDS_BETWEEN_BEATS = 15.0
SECONDS_TO_EXPIRY = 60.0
"""So long without a beat, and the holder counts as dead."""
_LARGEST = 1 << 12


class Lease:
    """The lease called ``name`` in a store. All methods raise ``SharedStoreError``."""

    def __init__(self, objects: SharedObjects, name: str) -> None:
        self._objects, self._name = objects, f"leases/{name}.json"
        self._holder, self._beats = secrets.token_hex(16), 0
        self._tag: str | None = None
        self._seen: tuple[str | None, float] = (None, 0.0)

    def take(self) -> bool:
        """Take it if it is free, or if its holder is dead; whether it is held now. To be called
        again and again: a holder is dead once this has seen no beat for ``SECONDS_TO_EXPIRY``."""
        self._tag = self._objects.create(self._name, self._content())
        if self._tag is None:
            self._tag = self._take_over()
        return self._tag is not None

    def beat(self) -> bool:
        """Say that its holder lives; whether it is held still."""
        if self._tag is None:
            return False
        before, self._beats = self._tag, self._beats + 1
        self._tag = self._objects.replace(self._name, self._content(), before) or self._if_ours()
        return self._tag is not None

    def release(self) -> None:
        """Give it back, if it is held still."""
        if self._tag is not None and self._if_ours() == self._tag:
            self._objects.delete(self._name)
        self._tag = None

    def _take_over(self) -> str | None:
        tag = self._if_ours()
        if tag is not None:  # an answer was lost, and the library had asked twice
            return tag
        current, now = self._current(), time.monotonic()
        if current is None:
            return None
        tag, _ = current
        if tag != self._seen[0]:
            self._seen = tag, now
        if now - self._seen[1] < SECONDS_TO_EXPIRY:
            return None
        return self._objects.replace(self._name, self._content(), tag)

    def _if_ours(self) -> str | None:
        """The tag of the object, if it is this holder's."""
        current = self._current()
        return current[0] if current is not None and current[1] == self._holder else None

    def _current(self) -> tuple[str, str] | None:
        """The object's tag and whose it is; None where there is none."""
        try:
            answer = self._objects.get(self._name, _LARGEST)
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
