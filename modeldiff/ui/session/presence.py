"""Which sessions are still there: a job whose last viewer has gone is stopped.

A page that is closed says nothing, and a browser that loses its connection for a moment comes back
as the same session. So a session counts as gone once it was away for some time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from modeldiff.processes.wanted import Wanted
from modeldiff.results import job_manager

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_AWAY = 60.0
_SECONDS_UNTIL_LEFT = 5.0
"""Opening anew costs little, so it is given up sooner than a job."""


class Presence:
    """Since when each session is away: ``is_here`` says whether one is connected, ``clock`` gives
    seconds, and ``gone`` is told of one that was away for a minute."""

    def __init__(
        self,
        is_here: Callable[[str], bool],
        gone: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_here, self._gone, self._clock = is_here, gone, clock
        self._away_since: dict[str, float] = {}

    def look(self, wanted: frozenset[str]) -> None:
        """Look at the sessions that are ``wanted``, and forget all others."""
        now = self._clock()
        away = {each: now for each in wanted if not self._is_here(each)}
        self._away_since = {each: self._away_since.get(each, now) for each in away}
        for session, since in self._away_since.items():
            if now - since >= _SECONDS_AWAY:
                self._gone(session)


def session_waits() -> Wanted:
    """Says whether the session of this run still waits for it: not once it was seen away for some
    seconds, which is longer than a browser takes that lost its connection for a moment. Where the
    app runs without Streamlit's server, as in tests, somebody always waits."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    return _Waiting(context.session_id, runtime.get_instance().is_active_session)


class _Waiting:
    def __init__(
        self,
        session: str,
        is_here: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._is_here, self._clock = session, is_here, clock
        self._away_since: float | None = None

    def __call__(self) -> bool:
        if self._is_here(self._session):
            self._away_since = None
            return True
        # From the first look that found it away: how long before that it left nobody knows, and a
        # run may ask as seldom as it has steps.
        now, since = self._clock(), self._away_since
        if since is None:
            self._away_since = since = now
        return now - since < _SECONDS_UNTIL_LEFT


@cache
def begin_presence() -> None:
    """Look after the sessions of this process, on a thread of its own, once."""
    if runtime.exists():
        presence = Presence(runtime.get_instance().is_active_session, job_manager().leave)
        threading.Thread(target=_look_after, args=(presence,), name="presence", daemon=True).start()


def _look_after(presence: Presence) -> None:
    while True:
        presence.look(job_manager().sessions())
        job_manager().sweep()
        time.sleep(_SECONDS_BETWEEN_LOOKS)
