"""The diagram on the page: an SVG whose boxes can be clicked, or reached by Tab and Enter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import streamlit as st

_CSS = """
svg { display: block; height: auto; margin-inline: auto; }
.host { font-family: var(--st-font); overflow-x: auto; }
"""
# The SVG is written into a child, whose handlers are assigned anew at each run: none pile up.
# Where the picture changes under the reader (a diff that runs), the keyboard's focus stays.
_JS = """
export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.querySelector(".host")
  if (host.dataset.digest !== data.digest) {
    const focused = host.getRootNode().activeElement?.dataset?.node
    host.innerHTML = data.svg
    host.dataset.digest = data.digest
    const again = [...host.querySelectorAll("[data-node]")].find((g) => g.dataset.node === focused)
    again?.focus()
  }
  const svg = host.firstElementChild
  svg.style.width = `min(${svg.getAttribute("width")}px, 100%)`
  svg.style.minWidth = `${data.least * svg.getAttribute("width")}px`
  for (const node of host.querySelectorAll("[data-node]")) {
    const chosen = node.dataset.node === data.selected
    node.classList.toggle("selected", chosen)
    node.setAttribute("aria-pressed", String(chosen))
    const choose = () => setStateValue("selected", chosen ? null : node.dataset.node)
    node.onclick = choose
    node.onkeydown = (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault()
        choose()
      }
    }
  }
}
"""

_component = st.components.v2.component(
    "clickable_diagram", html='<div class="host"></div>', css=_CSS, js=_JS
)


def clickable_diagram(
    svg: str,
    *,
    selected: str | None,
    on_choose: Callable[[str | None], None],
    least: float = 0.0,
    key: str = "diagram",
) -> None:
    """Draw ``svg``, whose nodes carry ``data-node``, with one of them chosen.

    ``on_choose`` is a callback, called before the script runs again, with the node that was
    clicked or with None when the chosen one was clicked once more. Smaller than ``least`` times its
    own size it is never drawn: it is then scrolled sideways, in a frame of its own. ``key`` tells
    it apart from another on the page.
    """
    # Whoever calls says what is chosen. Without this the browser's last click would stay the
    # component's state, and the same click would not count as a change after the choice moved on.
    st.session_state.setdefault(key, {})["selected"] = selected
    digest = hashlib.sha256(svg.encode()).hexdigest()
    _component(
        key=key,
        data={"svg": svg, "digest": digest, "selected": selected, "least": least},
        on_selected_change=lambda: on_choose(st.session_state[key]["selected"]),
    )
