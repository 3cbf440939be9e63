"""The app as whoever runs it sees it: which request a run of a page is, and what is going on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from modeldiff.observability.events import page_began
from modeldiff.observability.prometheus import GaugeValues
from modeldiff.observability.request import new_request
from modeldiff.results import job_manager
from modeldiff.results.housekeeping.entries import cache_entries

_lock = threading.Lock()
_sessions: set[str] = set()
_MOST_NOTED = 256
"""Sessions that are noted before those that are gone are forgotten, asked for metrics or not."""


def begin_request(page: str) -> None:
    """Give this run of ``page``, by its name in the address, an id; it is the proxy's connection
    that it came over, too."""
    new_request(st.context.headers.get("X-Request-ID", ""))
    context = get_script_run_ctx()
    if context is not None:
        with _lock:
            _sessions.add(context.session_id)
            if len(_sessions) > _MOST_NOTED:
                _forget_those_gone()
    page_began(page or "compare")


def _connected() -> GaugeValues:
    with _lock:
        _forget_those_gone()
        return {(): len(_sessions)}


def _forget_those_gone() -> None:
    if runtime.exists():  # not in tests
        is_here = runtime.get_instance().is_active_session
        _sessions.intersection_update([each for each in _sessions if is_here(each)])


def _active() -> GaugeValues:
    counts = job_manager().active_counts()
    return {(("kind", lane), ("state", state)): n for (lane, state), n in counts.items()}


def _cache(measure: Callable[[int], int]) -> GaugeValues:
    totals: Counter[str] = Counter()
    for entry in cache_entries():
        totals[entry.kind.name] += measure(entry.nbytes)
    return {(("kind", name),): total for name, total in totals.items()}


GAUGES_OF_THE_APP: Mapping[str, Callable[[], GaugeValues]] = {
    "jobs_active": _active,
    "cache_bytes": lambda: _cache(lambda nbytes: nbytes),
    "cache_files": lambda: _cache(lambda _: 1),
    "sessions": _connected,
}
"""What is looked up when somebody asks for metrics."""
