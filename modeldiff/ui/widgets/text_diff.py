"""How two texts differ, line by line: each line's sign and ground tell whose it is."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.companions.text_diff import DiffLine

_CSS = """
pre {
  margin: 0; padding: 0.75rem 0; max-height: 32rem; overflow-y: auto;
  font: 0.875rem/1.5 var(--st-code-font); color: var(--st-text-color);
  background: var(--st-secondary-background-color); border-radius: var(--st-base-radius);
}
pre:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
ins, del, span {
  display: block; padding: 0 1rem 0 2.2rem; text-indent: -1.4rem; text-decoration: none;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
ins { background: color-mix(in srgb, var(--st-blue-color) 20%, transparent); }
del { background: color-mix(in srgb, var(--st-gray-color) 22%, transparent); }
.skipped { font-style: italic; }
"""
# Text is set as text: nothing in it becomes an element.
_JS = """
const TAGS = { added: "ins", removed: "del" }
export default function ({ parentElement, data }) {
  const text = parentElement.querySelector("pre")
  text.setAttribute("aria-label", data.label)
  text.replaceChildren(...data.lines.map(([kind, sign, words]) => {
    const line = document.createElement(TAGS[kind] ?? "span")
    line.className = kind
    line.textContent = `${sign} ${words}`
    return line
  }))
}
"""
_SIGNS = {"same": " ", "removed": "−", "added": "+", "skipped": " "}

_component = st.components.v2.component(
    "text_diff", html='<pre tabindex="0" role="region"></pre>', css=_CSS, js=_JS
)


def text_diff(lines: Sequence[DiffLine], *, key: str, label: str) -> None:
    """Draw the ``lines`` of a text diff; ``label`` names it for a screen reader."""
    _component(
        key=key,
        data={
            "lines": [[line.kind, _SIGNS[line.kind], line.text] for line in lines],
            "label": label,
        },
    )
