"""The end of the server (SIGTERM): no new jobs, journals closed, viewers told, and then it ends.

Streamlit ends at once when it is told to. Here it is told once the jobs have ended and the pages
that followed them have been drawn with the word why; and whatever hangs, the process ends.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from streamlit import runtime

from modeldiff.results import job_manager

_SECONDS_FOR_JOBS = 8.0
_SECONDS_FOR_PAGES = 2.5
"""Pages that follow a job look every second."""
_SECONDS_FOR_ALL = 20.0
_log = logging.getLogger(__name__)


def begin_listening() -> None:
    """Listen for SIGTERM in this process' main thread, which is Streamlit's loop. Where the app
    runs without Streamlit's server, as in tests, nothing is changed."""
    if not runtime.exists():
        return
    # A handler can be set in the main thread only, and scripts run in others: its loop does it.
    # Streamlit has no public way to that loop.
    try:
        loop = runtime.get_instance()._get_async_objs().eventloop
    except AttributeError as error:
        _log.warning("This version of Streamlit ends without a word to who looks: %s", error)
        return

    def listen() -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        streamlits = signal.getsignal(signal.SIGTERM)

        def stop() -> None:
            if callable(streamlits):
                streamlits(signal.SIGTERM, None)

        def on_signal(number: int, frame: FrameType | None) -> None:
            del number, frame
            signal.signal(signal.SIGTERM, streamlits)  # the second one ends it at once
            work = (lambda: loop.call_soon_threadsafe(stop),)
            threading.Thread(target=_end, args=work, name="stopping", daemon=True).start()

        signal.signal(signal.SIGTERM, on_signal)

    loop.call_soon_threadsafe(listen)


def _end(stop: Callable[[], object]) -> None:
    """Close all and ``stop`` the server; end the process where that takes too long."""
    begun = time.monotonic()
    viewers = job_manager().sessions()
    if not job_manager().shut_down(_SECONDS_FOR_JOBS):
        _log.warning("A job did not end in time; its journal holds what was measured.")
    if viewers:
        time.sleep(_SECONDS_FOR_PAGES)
    stop()
    time.sleep(max(0.0, _SECONDS_FOR_ALL - (time.monotonic() - begun)))
    _log.warning("The server did not end in time.")
    os._exit(128 + signal.SIGTERM)
