"""A drawing on the page in a frame of its own, which is scrolled sideways where it has no room."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import streamlit as st

from modeldiff.ui.widgets.component_words import last_word

_CSS = """
.frame { position: relative; overflow-x: auto; font-family: var(--st-font); }
.frame:focus-visible { outline: 2px solid var(--st-primary-color); }
.stop { display: none; }
svg {
  display: block; height: auto; margin-inline: auto;
  width: min(1.2 * var(--natural), 100%); min-width: calc(var(--least) * var(--natural));
}
/* On a phone there is no overview to be had: then its words are to be read. */
@media (max-width: 640px) {
  svg { min-width: calc(max(var(--least), 0.85) * var(--natural)); }
  /* One part of the drawing after the other, none cut at its beginning. */
  .frame:has(> .stop) { scroll-snap-type: x mandatory; }
  .stop {
    display: block; position: absolute; top: 0; width: 1px; height: 1px; scroll-snap-align: start;
    left: calc(max(var(--least), 0.85) * var(--at));
  }
}
"""
# Written anew only when it changed, and its handlers are assigned, so that none pile up.
_JS = """
export default function ({ parentElement, data, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  if (frame.dataset.digest !== data.digest) {
    frame.innerHTML = data.svg
    frame.dataset.digest = data.digest
    // Parts of an SVG are nothing that scrolling could stop at.
    for (const part of frame.querySelectorAll("[data-stop]")) {
      const stop = document.createElement("span")
      stop.className = "stop"
      stop.style.setProperty("--at", `${part.transform.baseVal.consolidate().matrix.e}px`)
      frame.append(stop)
    }
  }
  const svg = frame.firstElementChild
  frame.setAttribute("aria-label", svg.getAttribute("aria-label") ?? "Drawing")
  frame.style.setProperty("--natural", `${svg.getAttribute("width")}px`)
  frame.style.setProperty("--least", data.least)
  for (const node of frame.querySelectorAll("[data-node]")) {
    const choose = () => setTriggerValue("chosen", node.dataset.node)
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
    "scrolled_drawing",
    html='<div class="frame" role="region" tabindex="0"></div>',
    css=_CSS,
    js=_JS,
)


def scrolled_drawing(
    svg: str,
    *,
    key: str,
    least: float = 1.0,
    on_choose: Callable[[str], None] = lambda _: None,
) -> None:
    """Draw ``svg``, with its size in ``width``, as large as there is room, up to a little over it.

    It is never drawn smaller than ``least`` times its size, on a phone larger. There, scrolling
    stops at the parts that have ``data-stop``. ``on_choose`` is a
    callback, called before the script runs again, with the ``data-node`` of what was clicked or
    entered.
    """

    def choose() -> None:
        node = last_word(key, "chosen")
        if node is not None:
            on_choose(str(node))

    _component(
        key=key,
        data={"svg": svg, "digest": hashlib.sha256(svg.encode()).hexdigest(), "least": least},
        on_chosen_change=choose,
    )
