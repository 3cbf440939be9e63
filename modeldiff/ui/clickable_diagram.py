"""The diagram on the page: an SVG whose boxes can be clicked, or reached by Tab and Enter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import streamlit as st

_HTML = '<div class="host"></div><div class="tip" aria-hidden="true" hidden></div>'
_CSS = """
:host { position: relative; }
.host { font-family: var(--st-font); position: relative; overflow-x: auto; }
svg { display: block; height: auto; margin-inline: auto; }
.tip {
  position: absolute; z-index: 1; box-sizing: border-box; max-width: min(26rem, 100%);
  padding: 0.4rem 0.6rem; white-space: pre-line; overflow-wrap: anywhere; pointer-events: none;
  font: 0.8rem/1.4 var(--st-font); color: var(--st-text-color);
  background: var(--st-background-color); border: 1px solid var(--st-gray-color);
  border-radius: var(--st-base-radius); box-shadow: 0 2px 10px rgb(0 0 0 / 25%);
}
.tip[hidden] { display: none; }
"""
# The SVG is written into a child, whose handlers are assigned anew at each run: none pile up.
# Where the picture changes under the reader (a diff that runs), the keyboard's focus stays.
# What a box tells is shown at once for the mouse and the keyboard alike, and hidden by Escape; the
# browser's own tooltip for it is late, and for the mouse alone.
_JS = """
const LEAST = 0.8, MOST = 1.3

function naturalWidth(svg) {
  return Number(/viewBox="[^ ]+ [^ ]+ ([^ ]+)/.exec(svg)[1])
}

export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.querySelector(".host")
  const tip = parentElement.querySelector(".tip")

  const tell = (node) => {
    tip.textContent = node.dataset.told
    tip.hidden = false
    const frame = host.getBoundingClientRect(), box = node.getBoundingClientRect()
    const left = Math.min(box.left - frame.left, frame.width - tip.offsetWidth)
    const under = box.bottom - frame.top + 6, over = box.top - frame.top - tip.offsetHeight - 6
    const fits = box.bottom + 6 + tip.offsetHeight < window.innerHeight
    tip.style.left = `${host.offsetLeft + Math.max(left, 0)}px`
    tip.style.top = `${host.offsetTop + (fits || over < 0 ? under : over)}px`
  }
  const hush = () => { tip.hidden = true }

  const prepare = () => {
    for (const title of host.querySelectorAll("g > title")) {
      const node = title.parentElement
      node.dataset.told = title.textContent
      if (node.dataset.node) node.setAttribute("aria-description", title.textContent)
      title.remove()
    }
  }

  const draw = () => {
    const room = host.clientWidth
    if (!room) return
    const wide = data.wide && room >= LEAST * naturalWidth(data.wide)
    const svg = wide ? data.wide : data.svg
    const drawn = `${data.digest} ${wide}`
    if (host.dataset.drawn !== drawn) {
      const focused = host.getRootNode().activeElement?.dataset?.node
      hush()
      host.innerHTML = svg
      host.dataset.drawn = drawn
      prepare()
      const nodes = [...host.querySelectorAll("[data-node]")]
      nodes.find((node) => node.dataset.node === focused)?.focus()
    }
    const natural = naturalWidth(svg)
    const width = Math.max(Math.min(room, MOST * natural), data.least * natural)
    host.firstElementChild.style.width = `${width}px`
    for (const node of host.querySelectorAll("[data-told]")) {
      node.onmouseenter = () => tell(node)
      node.onmouseleave = hush
      node.onfocus = () => node.matches(":focus-visible") && tell(node)
      node.onblur = hush
    }
    for (const node of host.querySelectorAll("[data-node]")) {
      const chosen = node.dataset.node === data.selected
      node.classList.toggle("selected", chosen)
      node.setAttribute("aria-pressed", String(chosen))
      const choose = () => setStateValue("selected", chosen ? null : node.dataset.node)
      node.onclick = choose
      node.onkeydown = (event) => {
        if (event.key === "Escape") hush()
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault()
          choose()
        }
      }
    }
  }

  host.redraw = draw
  host.watch ??= new ResizeObserver(() => host.redraw())
  host.watch.observe(host)
  draw()
}
"""

_component = st.components.v2.component("clickable_diagram", html=_HTML, css=_CSS, js=_JS)


def clickable_diagram(
    svg: str,
    *,
    wide: str | None = None,
    selected: str | None,
    on_choose: Callable[[str | None], None],
    least: float = 0.0,
    key: str = "diagram",
) -> None:
    """Draw ``svg``, whose nodes carry ``data-node``, with one of them chosen.

    It grows with the room that it has, up to a little over its own size. ``wide`` is another
    drawing of the same, taken where the room is enough for it. ``on_choose`` is a callback, called
    before the script runs again, with the node that was clicked or with None when the chosen one
    was clicked once more. Smaller than ``least`` times its own size it is never drawn: it is then
    scrolled sideways, in a frame of its own. ``key`` tells it apart from another on the page.
    """
    # Whoever calls says what is chosen. Without this the browser's last click would stay the
    # component's state, and the same click would not count as a change after the choice moved on.
    st.session_state.setdefault(key, {})["selected"] = selected
    digest = hashlib.sha256(f"{svg}{wide}".encode()).hexdigest()
    _component(
        key=key,
        data={"svg": svg, "wide": wide, "digest": digest, "selected": selected, "least": least},
        on_selected_change=lambda: on_choose(st.session_state[key]["selected"]),
    )
