"""Going to another page from within a run, as a link would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

GOING_JS = (Path(__file__).parent / "going.js").read_text(encoding="utf-8")
"""Functions for components that lead to other pages: ``go(path, query)``, ``addressOf``."""
_component = st.components.v2.component(
    "going",
    html="<span></span>",
    js=GOING_JS
    + """
export default function ({ parentElement, data }) {
  const mark = parentElement.querySelector("span")
  if (mark.dataset.gone) return
  mark.dataset.gone = "1"
  go(data.path, data.query)
}
""",
)


def go_to(path: str, query: Mapping[str, str], *, key: str) -> None:
    """Lead the browser to the page at ``path`` below the app's address, with this ``query``: one
    entry of its history. ``key`` is the widget's; drawn in one run only, it goes once."""
    _component(key=key, data={"path": path, "query": dict(query)})
