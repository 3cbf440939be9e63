"""The diagram on the page: an SVG whose boxes can be clicked, or reached by Tab and Enter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from modeldiff.ui.widgets.component_words import last_word

_KEY = "diagram"
_HTML = """
<div class="stage">
  <p class="pair"></p>
  <button class="full" type="button" title="The arrow keys go through the layers">
    Full screen
  </button>
  <div class="host"></div>
  <div class="tip" aria-hidden="true" hidden></div>
</div>
"""
_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "clickable_diagram",
    html=_HTML,
    css=(_HERE / "clickable_diagram.css").read_text(encoding="utf-8"),
    js=(_HERE / "clickable_diagram.js").read_text(encoding="utf-8"),
)


def clickable_diagram(
    *,
    title: str,
    drawings: Sequence[str],
    selected: str | None,
    on_choose: Callable[[str | None], None],
    layer: int | None,
    layers: int,
    on_layer: Callable[[int | None], None],
) -> None:
    """Draw an SVG whose nodes carry ``data-node``, with one of them chosen; ``title`` is written
    over it on a full screen.

    ``drawings`` are the same, laid out for several widths, the widest first: the widest that has
    room in its own size is taken, and grows with its room a little. On a full screen, the one that
    gets largest is shown whole. Tab comes to the boxes, arrows go through them in the order of the
    data, digits to those with a ``data-number``.

    ``on_choose`` is called with the node that was clicked, or with None when the chosen one was
    clicked once more; ``on_layer`` with the layer that an arrow key went to from ``layer``, of
    ``layers`` (None: all together, which are before the first). Both are callbacks, called before
    the script runs again.
    """
    # Whoever calls says what is chosen. Without this the browser's last click would stay the
    # component's state, and the same click would not count as a change after the choice moved on.
    # Both are one value, as the browser sends its last word on each of several.
    now: dict[str, Any] = {"selected": selected, "layer": layer}
    st.session_state.setdefault(_KEY, {})["view"] = now
    digest = hashlib.sha256("".join(drawings).encode()).hexdigest()

    def take() -> None:
        message = last_word(_KEY, "view") or now
        # A browser can say anything.
        node, there = message.get("selected"), message.get("layer")
        if node != selected and isinstance(node, str | None):
            on_choose(node)
        if there != layer and (there is None or there in range(layers)):
            on_layer(there)

    _component(
        key=_KEY,
        data={
            **now,
            "drawings": list(drawings),
            "layers": layers,
            "title": title,
            "digest": digest,
        },
        on_view_change=take,
    )
