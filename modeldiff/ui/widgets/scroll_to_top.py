"""Back to the top of the page, after something at its end has changed what stands above."""

from __future__ import annotations

import streamlit as st

_TIMES = "times_to_top"
_JS = """
export default function ({ parentElement, data }) {
  const here = parentElement.querySelector("span")
  if (data.times > Number(here.dataset.times ?? data.times)) {
    document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 })
  }
  here.dataset.times = data.times
}
"""

_component = st.components.v2.component("to_top", html="<span></span>", js=_JS)


def go_to_top() -> None:
    """Have the browser show the top of the page. For callbacks."""
    st.session_state[_TIMES] = st.session_state.get(_TIMES, 0) + 1


def mount_to_top() -> None:
    """Draw what listens for it; nothing is seen of it."""
    _component(key="to_top", data={"times": st.session_state.get(_TIMES, 0)}, height=0)
