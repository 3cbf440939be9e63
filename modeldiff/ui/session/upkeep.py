"""What a server does beside its pages, once a process: keep the cache and the memory in bounds, be
quick, look after who is there, and end well.

On a shared server that is to compile the kernels and to import what is slow before somebody waits.
"""

from __future__ import annotations

import gc
import itertools
import logging
import threading
import time
from importlib import import_module

import streamlit as st

from modeldiff.changes.kernels.object_code import kernels
from modeldiff.observability.json_log import begin_logging
from modeldiff.observability.prometheus import begin_metrics
from modeldiff.processes.allocator import give_back_freed_memory, share_heaps
from modeldiff.results.housekeeping.pruning import prune_daily
from modeldiff.settings.startup import is_server
from modeldiff.ui.session.presence import begin_presence
from modeldiff.ui.session.stopping import begin_listening
from modeldiff.ui.session.watching import GAUGES_OF_THE_APP

_log = logging.getLogger(__name__)
_MINUTES_BETWEEN_PRUNINGS = 60
_SECONDS_FOR_THE_FIRST_PAGE = 20
_SLOW_TO_IMPORT = ("torch", "transformers.models.auto")
"""What building the model of a config needs: whoever asks for the first one would wait for it."""


@st.cache_resource(show_spinner=False)
def begin_upkeep() -> None:
    """Begin, on threads of their own, and let itself be watched; later calls do nothing."""
    share_heaps()
    begin_logging()
    begin_metrics(GAUGES_OF_THE_APP)
    begin_presence()
    begin_listening()
    threading.Thread(target=_keep_up, name="upkeep", daemon=True).start()


def _keep_up() -> None:
    time.sleep(_SECONDS_FOR_THE_FIRST_PAGE)
    if is_server():
        kernels()
        _import_what_is_slow()
    # What was imported stays, so that nothing has to look through it again and again.
    gc.collect()
    gc.freeze()
    for minute in itertools.count():
        if minute % _MINUTES_BETWEEN_PRUNINGS == 0:
            prune_daily()
        give_back_freed_memory()
        time.sleep(60)


def _import_what_is_slow() -> None:
    for name in _SLOW_TO_IMPORT:
        try:
            import_module(name)
        except ImportError as error:
            _log.info("%s is not loaded beforehand: %s", name, error)
