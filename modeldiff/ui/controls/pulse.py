"""The one clock of a page: while something is followed, its parts are drawn again in time.

Streamlit gives each part of a page (a fragment) a timer of its own, in the browser. A timer that
rings while another page is on its way asks for its part under the page that is gone. Streamlit then
empties the page in the browser, and the part's first element has no place to go: "Bad delta path
index", and the front end is dead. So no part has a timer. One fragment of the entrypoint has, whose
place every page keeps; it asks for the parts, and where its ring came too late, for their page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.navigation.page import Page
from streamlit.runtime.scriptrunner import get_script_run_ctx

_PACES = "paces"


@dataclass
class _Paces:
    """By its name, in seconds, how often each part of this run of the page is to be drawn.
    ``complete`` from the end of the run on."""

    seconds: dict[str, float] = field(default_factory=dict)
    complete: bool = False


def keep_pace(name: str, seconds: float) -> None:
    """Ask that the parts called ``name`` be drawn again every so many ``seconds``, from the end of
    this run of the page on. Where it has ended already, it is run anew."""
    paces = st.session_state.setdefault(_PACES, _Paces())
    if paces.seconds.get(name, seconds + 1) <= seconds:
        return
    paces.seconds[name] = seconds
    if paces.complete:
        st.rerun()


@contextmanager
def pulse(page: Page) -> Iterator[None]:
    """Draw ``page`` within; from then on draw its parts again as they asked for."""
    paces = st.session_state[_PACES] = _Paces()
    place = st.container(key="pulse")
    try:
        yield
    finally:
        # Also where a page ends early.
        paces.complete = True
        with place:
            _beat(page, paces.seconds)


def _beat(page: Page, seconds: dict[str, float]) -> None:
    shown = _page_asked_for()
    query = st.query_params.to_dict()
    first = [True]

    def beat() -> None:
        if first:
            first.clear()
        elif _page_asked_for() != shown:
            st.switch_page(page, query_params=query)
        elif seconds:
            try:
                st.rerun(scope=list(seconds))
            except StreamlitAPIException:  # one of the parts is gone
                st.rerun()

    st.fragment(beat, run_every=min(seconds.values(), default=None))()


def _page_asked_for() -> str:
    """The page for which the browser asked for this run, be it of a part only."""
    context = get_script_run_ctx()
    return "" if context is None else context.page_script_hash
