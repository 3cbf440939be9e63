"""The diagram on the page: an SVG whose boxes can be clicked, or reached by Tab and Enter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import streamlit as st

_KEY = "diagram"
_CSS = """
svg { display: block; max-width: 100%; height: auto; margin-inline: auto; }
.host { font-family: var(--st-font); }
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
    svg: str, *, selected: str | None, on_choose: Callable[[str | None], None]
) -> None:
    """Draw ``svg``, whose nodes carry ``data-node``, with one of them chosen.

    ``on_choose`` is a callback, called before the script runs again, with the node that was
    clicked or with None when the chosen one was clicked once more.
    """
    # Whoever calls says what is chosen. Without this the browser's last click would stay the
    # component's state, and the same click would not count as a change after the choice moved on.
    st.session_state.setdefault(_KEY, {})["selected"] = selected
    digest = hashlib.sha256(svg.encode()).hexdigest()
    _component(
        key=_KEY,
        data={"svg": svg, "digest": digest, "selected": selected},
        on_selected_change=lambda: on_choose(st.session_state[_KEY]["selected"]),
    )
