"""The bar over every page: its pages as links that carry the pair and the view along, and help.

Streamlit's own navigation leaves the query behind, so that going to a page would be two entries of
the browser's history, and a link opened in a new tab would show another pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from modeldiff import ui
from modeldiff.ui.session.login import logged_in_as
from modeldiff.ui.session.url_state import link_query

_HERE = Path(__file__).parent
_ICON = (Path(ui.__file__).parent / "icon.svg").read_text(encoding="utf-8")
_HELP = (_HERE / "help.html").read_text(encoding="utf-8")
_HTML = f"""
<nav aria-label="Pages">
  <span class="logo" aria-hidden="true">{_ICON}</span>
  <div class="links"></div>
  <button class="help" type="button" aria-haspopup="dialog" title="Press ?">Help</button>
  <button class="logout" type="button" hidden>Log out</button>
</nav>
<dialog aria-label="Help">{_HELP}</dialog>
"""
_component = st.components.v2.component(
    "navigation_bar",
    html=_HTML,
    css=(_HERE / "navigation_bar.css").read_text(encoding="utf-8"),
    js=(_HERE / "navigation_bar.js").read_text(encoding="utf-8"),
)


def navigation_bar(pages: Mapping[str, Page], current: Page) -> None:
    """Draw links to ``pages``, by name, with ``current`` marked; go where one is clicked, and let
    who has logged in here log out. Nothing is drawn where the app is embedded in another page."""
    if st.context.is_embedded:
        return
    links = [
        {
            "name": name,
            "title": page.title,
            "path": page.url_path,
            "current": page == current,
        }
        for name, page in pages.items()
        if page.visibility == "visible"
    ]
    clicked: Any = _component(
        key="navigation",
        data={"links": links, "first": current.url_path == "", "visitor": logged_in_as()},
        on_page_change=lambda: None,
        on_logout_change=lambda: None,
    )
    if getattr(clicked, "logout", None):
        st.logout()
    wanted = pages.get(getattr(clicked, "page", None) or "")
    if wanted is not None and wanted != current:
        st.switch_page(wanted, query_params=link_query())
