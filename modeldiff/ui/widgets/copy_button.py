"""A button that puts a text, or the page's address, on the clipboard."""

from __future__ import annotations

import streamlit as st

_HTML = '<button type="button"></button>'
_CSS = """
button {
  box-sizing: border-box; min-height: 2.5rem; padding: 0.3rem 0.75rem; white-space: nowrap;
  font: 0.875rem/1.4 var(--st-font); color: var(--st-text-color); cursor: pointer;
  background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius);
}
button:hover, button:focus-visible { color: var(--st-link-color); border-color: currentcolor; }
button:focus-visible { outline: 2px solid var(--st-link-color); }
"""
# navigator.clipboard is there in secure contexts only: an app that is served over plain HTTP in a
# laboratory's network has the old way.
_JS = """
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement("textarea")
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button")
  const calm = () => { button.textContent = data.label }
  if (button.dataset.label !== data.label) {
    button.dataset.label = data.label
    calm()
  }
  button.onclick = async () => {
    try {
      await copy(data.text ?? window.location.href)
      button.textContent = "Copied"
    } catch {
      button.textContent = "Not permitted"
    }
    setTimeout(calm, 1500)
  }
}
"""

_component = st.components.v2.component("copy_button", html=_HTML, css=_CSS, js=_JS)


def copy_button(label: str, text: str | None = None, *, key: str) -> None:
    """Draw a button called ``label`` that copies ``text``; None copies the page's address as it is
    when the button is pressed. ``key`` is the widget's."""
    _component(key=key, data={"label": label, "text": text}, width="content")
