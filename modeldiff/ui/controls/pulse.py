"""The one clock of a page: while something is followed, its parts are drawn again in time.

Streamlit gives each part of a page (a fragment) a timer of its own, in the browser. A timer that
rings while another page is on its way asks for its part under the page that is gone. Streamlit then
empties the page in the browser, and the part's first element has no place to go: "Bad delta path
index", and the front end is dead. So no part has a timer. The entrypoint has a component that rings
while somebody sees the page, in a fragment whose place every page keeps. Its callback asks for the
parts that are due, and for nothing else: Streamlit lets only a callback name them. Where the ring
came too late, the fragment asks for their page.

Streamlit can also lose the end of a page. What a run of it draws waits in the server until its
event loop sends it; where a part is asked for meanwhile (a ring, a click), and the run has just
ended, the part is run by another thread, and all that still waits of the first one is thrown away.
The page then stays as it is: cut off, its progress standing still. So each run marks its begin and
its end on the page, and the component asks for a page again whose marks do not agree. It is the
last that a run draws, so a first run that is cut off has none: a second one, which is drawn as the
run begins and is more patient, looks after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from math import ceil
from pathlib import Path
from time import monotonic

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.navigation.page import Page

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import job_manager
from modeldiff.ui.session.shown_page import page_asked_for, show_page
from modeldiff.ui.widgets.component_words import last_word

_PACES = "paces"
_RUN = "page_run"
"""Where in the session the number of its last run of a page is."""
_CLOCK = "pulse_clock"
_WATCH = "pulse_watch"
_component = st.components.v2.component(
    "pulse", js=(Path(__file__).parent / "pulse.js").read_text(encoding="utf-8")
)
_LOOKS, _LOOKS_OF_WATCH = 3, 9
"""After so many looks at marks that do not agree, half a second apart, a page is asked for anew."""
_AS_OFTEN_AS = 12
"""More sessions than these that wait for jobs are drawn as often as these, all together: what their
pages take of the interpreter, the threads that measure wait for."""
_EARLY = 0.3
"""A ring that comes by this share of a part's pace too early draws it all the same: the browser's
clock and the way from it are not even."""


@dataclass
class _Paces:
    """By its name, in seconds, how often each part of this run of the page is to be drawn, and when
    it was last. ``complete`` from the end of the run on."""

    seconds: dict[str, float] = field(default_factory=dict)
    drawn: dict[str, float] = field(default_factory=dict)
    complete: bool = False

    @property
    def between_rings(self) -> float | None:
        """How often, in seconds, the clock is to ring now; None for never."""
        seconds = min(self.seconds.values(), default=None)
        return None if seconds is None else seconds * _crowd()

    def take_due(self) -> list[str]:
        """The parts that are to be drawn now."""
        now, early = monotonic(), (1 - _EARLY) * _crowd()
        due = [
            name
            for name, seconds in self.seconds.items()
            if now - self.drawn[name] >= seconds * early
        ]
        self.drawn.update(dict.fromkeys(due, now))
        return due


def keep_pace(name: str, seconds: float) -> None:
    """Ask that the parts called ``name`` be drawn again every so many ``seconds``, from the end of
    this run of the page on; more seldom while many sessions wait for jobs. Where it has ended
    already, it is run anew."""
    paces = st.session_state.setdefault(_PACES, _Paces())
    if paces.seconds.get(name, seconds + 1) <= seconds:
        return
    paces.seconds[name] = seconds
    paces.drawn[name] = monotonic()
    if paces.complete:
        st.rerun()


@contextmanager
def pulse(page: Page) -> Iterator[None]:
    """Draw ``page`` within; from then on draw its parts again as they asked for."""
    show_page()
    paces = st.session_state[_PACES] = _Paces()
    run = st.session_state[_RUN] = st.session_state.get(_RUN, 0) + 1
    with st.container(key="pulse"):
        _mark("begun", run)
        # Outside of any part: its word is a request for the whole page.
        _component(
            key=_WATCH,
            data={"looks": _LOOKS_OF_WATCH, "run": run},
            on_torn_change=lambda: None,
        )
        place = st.container()
        # In turn: the browser takes the last run's mark away when it is told that this one ended.
        ends = st.container(), st.container()
    try:
        yield
    finally:
        # Also where a page ends early.
        paces.complete = True
        with place:
            _beat(page, paces, run)
        with ends[run % 2]:
            _mark("ended", run)


def _crowd() -> int:
    """How many times more seldom than they asked for parts are drawn, since many wait."""
    return max(1, ceil(len(job_manager().sessions()) / _AS_OFTEN_AS))


def _mark(what: str, run: int) -> None:
    st.html(f'<i data-run-{what}="{run}"></i>')


def _beat(page: Page, paces: _Paces, run: int) -> None:
    shown = page_asked_for()
    query = st.query_params.to_dict()

    def ring() -> None:
        # What a ring of an earlier run would draw has no place yet in the browser.
        heard = last_word(_CLOCK, "ring")
        if page_asked_for() != shown or heard != run or not (due := paces.take_due()):
            return
        try:
            st.rerun(scope=due)
        except StreamlitAPIException:  # one of the parts is gone
            st.rerun()

    def draw_again() -> None:
        if page_asked_for() == shown:
            st.rerun()

    def beat() -> None:
        if page_asked_for() != shown:
            st.switch_page(page, query_params=query)
        _component(
            key=_CLOCK,
            data={
                "seconds": paces.between_rings,
                "looks": _LOOKS,
                "run": run,
            },
            on_ring_change=ring,
            on_torn_change=draw_again,
        )

    st.fragment(beat)()
