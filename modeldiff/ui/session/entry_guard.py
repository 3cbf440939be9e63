"""The way in: every request passes the entrypoint, also a deep link on a server just started.

A folder called ``pages`` beside the entrypoint is also Streamlit's old convention for several
pages. Until somebody has opened ``/`` once, a request for ``/heatmap`` runs ``pages/heatmap.py``
alone: no page config, no sidebar. So each page begins with ``enter``, which leads such a request
through the entrypoint and, with its query untouched, back to the page that was wanted.

An address that is no page's leads to Compare, as does ``/compare``, which is ``/``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.navigation.page import Page

from modeldiff.errors import Cancelled, CheckpointError, ModeldiffError
from modeldiff.observability.events import error_met
from modeldiff.processes.wanted import wanted_while
from modeldiff.settings.startup import check_settings, require_roots
from modeldiff.ui.session.presence import session_waits
from modeldiff.ui.widgets.error_box import show_error

_log = logging.getLogger(__name__)
ENTRYPOINT = "streamlit_app.py"
_ENTERED = "entered"
ROOT_NAME = "root"
"""What the default page is called beside its address, which is ``/``."""
WANTED = "wanted"
"""Where in the session a page and its query wait while the entrypoint runs first."""


def require_safe_serving() -> None:
    """Show why, and nothing else, where the settings can't be read or would show all of this
    machine's files to others."""
    error = _settings_error(st.get_option("server.address") or "")
    if error is not None:
        show_error(error)
        st.stop()


@st.cache_resource(show_spinner=False)
def _settings_error(address: str) -> ModeldiffError | None:
    """What is wrong with the settings of a server at ``address``. They can't change while it runs,
    so this is looked at once."""
    try:
        check_settings()
        require_roots(address)
    except ModeldiffError as error:
        _log.error("%s %s", error.message, error.hint)
        return error
    return None


@contextmanager
def guarded() -> Iterator[None]:
    """Run a page, or a part of it, for as long as its tab is there. What opening left until a page
    asks for it is charged to the checkpoint's budget, too: where that is spent, say which limit it
    was, and end the page there."""
    try:
        with wanted_while(session_waits()):
            yield
    except Cancelled:
        st.stop()
    except CheckpointError as error:
        error_met(error, "opening")
        show_error(error)
        st.stop()


def guarded_part(draw: Callable[[], None], key: str) -> None:
    """``draw`` a part of the page, called ``key``, now; the page's clock and the widgets
    within draw it again, alone. It is guarded itself: it runs without its page, too, and within it
    Streamlit shows what a part raises before the page can."""
    st.fragment(guarded()(draw), key=key)()


def enter(page: str) -> None:
    """First statement of a page: go on only if the entrypoint has run for this session."""
    if _ENTERED not in st.session_state:
        st.session_state[WANTED] = (page, st.query_params.to_dict())
        st.switch_page(ENTRYPOINT)


def stray_page(pages: Mapping[str, Page]) -> list[Page]:
    """A hidden page at the address that was asked for, where none of the ``pages`` is there: else
    Streamlit would say in a box over Compare that there is no such page."""
    name = unquote(urlsplit(st.context.url or "").path.rstrip("/").rpartition("/")[2]).strip()
    if "/" in name or name in {"", ROOT_NAME, *(page.url_path for page in pages.values())}:
        return []
    return [st.Page(_nothing, title="Compare", url_path=name, visibility="hidden")]


def _nothing() -> None:
    """What a stray page shows: ``lead_back`` has led away from it before it runs."""


def lead_back(pages: Mapping[str, Page], page: Page) -> None:
    """In the entrypoint, with the ``page`` that ``st.navigation`` gave: mark the session, and
    return a deep link; from a stray page lead to Compare, with the same query."""
    st.session_state[_ENTERED] = True
    if page not in pages.values():
        st.switch_page(pages["compare"], query_params=st.query_params.to_dict())
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None:
        name, query = wanted
        st.switch_page(pages[name], query_params=query)
