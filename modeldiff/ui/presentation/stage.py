"""The stage: one component that holds all slides and fills the screen, or else the window."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from modeldiff.ui import widgets
from modeldiff.ui.presentation.slides import Slide
from modeldiff.ui.session.presenting import keep_presenting, stop_presenting
from modeldiff.ui.widgets.component_words import last_word

_KEY = "stage"
_KEYS = (
    ("← →", "Previous and next view, as Page Up and Page Down"),
    ("Enter", "Into the drawing; arrows go from cell to cell, Enter opens one"),
    ("↑ ↓", "In the diagram: a layer up, a layer down"),
    ("n", "Numbers in the cells: on or off"),
    ("+ −", "Raise or lower the end of the scale: the matrices' or the chosen cell's"),
    ("t", "Light or dark theme"),
    ("f", "Full screen on or off"),
    ("?", "This list"),
    ("Esc", "One step back: from the panel, the cell, the presentation"),
)
_HTML = f"""
<div class="stage" tabindex="-1" role="region" aria-label="Presentation">
  <div class="body"></div>
  <header class="head">
    <h1 class="title" aria-live="polite"></h1>
    <span class="about" aria-live="polite"></span>
    <span class="place" aria-live="polite"></span>
    <nav aria-label="Views">
      <button class="back" type="button" aria-label="Previous view">←</button>
      <button class="on" type="button" aria-label="Next view">→</button>
      <button class="help" type="button" aria-label="Keyboard shortcuts">?</button>
      <button class="out" type="button" aria-label="Leave the presentation">✕</button>
    </nav>
  </header>
  <div class="keys" hidden>
    <dl>{"".join(f"<dt>{key}</dt><dd>{does}</dd>" for key, does in _KEYS)}</dl>
  </div>
  <aside class="panel" tabindex="0" aria-label="The chosen cell" aria-live="polite" hidden></aside>
</div>
"""
_HERE, _WIDGETS = Path(__file__).parent, Path(widgets.__file__).parent
_component = st.components.v2.component(
    "stage",
    html=_HTML,
    css=(_HERE / "stage.css").read_text(encoding="utf-8"),
    js=(_WIDGETS / "heatmap_cells.js").read_text(encoding="utf-8")
    + (_HERE / "stage.js").read_text(encoding="utf-8"),
)
_COLOURS = {
    "--st-text-color": "textColor",
    "--st-gray-color": "grayColor",
    "--st-background-color": "backgroundColor",
    "--st-secondary-background-color": "secondaryBackgroundColor",
    "--st-border-color": "borderColor",
    "--st-link-color": "linkColor",
    "--st-orange-color": "orangeColor",
}


def stage(
    slides: Sequence[Slide],
    *,
    first: str,
    words: Sequence[str] = (),
    layered: Sequence[bool] = (),
    at: int | None = None,
    panel: str = "",
    on_choose: Callable[[int | None], None] | None = None,
    on_ceiling: Callable[[int | None, int], None] | None = None,
    layer: int | None = None,
    layers: int = 0,
    on_layer: Callable[[int | None], None] | None = None,
) -> None:
    """Show these slides, the one named ``first`` to begin with.

    Args:
        slides: at least one.
        first: a slide's name; where there is none of it, the first one is shown.
        words: what each ``data-cell`` of the slides' heatmaps says.
        layered: which of these cells are a component's in a layer.
        at: the cell that is chosen.
        panel: HTML of what was measured in it.
        on_choose: called with the cell that was chosen, or None where none is any more.
        on_ceiling: called with a cell (or None) and a step up (1) or down (-1).
        layer: the layer that the diagram shows; None for all.
        layers: how many there are.
        on_layer: called with the layer that is to be shown.
    """
    shown = [
        {
            "name": slide.name,
            "label": slide.label,
            "title": slide.title,
            "about": slide.about,
            "html": slide.html,
            "drawings": list(slide.drawings),
            "layered": slide.layered,
        }
        for slide in slides
    ]

    def take() -> None:
        wish = last_word(_KEY, "wish")
        # A browser can say anything.
        if not isinstance(wish, dict):
            return
        cell, step, there = wish.get("at"), wish.get("ceiling"), wish.get("layer")
        known = type(cell) is int and 0 <= cell < len(words)
        if wish.get("leave") is True:
            stop_presenting()
            return
        keep_presenting(wish.get("view"))
        if "ceiling" in wish and on_ceiling is not None and step in (-1, 1):
            on_ceiling(cell if known else None, step)
        elif "choose" in wish and on_choose is not None and (known or cell is None):
            on_choose(cell)
        elif "layer" in wish and on_layer is not None and _is_layer(there, layers):
            on_layer(there)

    with st.container(key="presentation"):
        _component(
            key=_KEY,
            data={
                "slides": shown,
                "first": first,
                "words": list(words),
                "layered": list(layered),
                "at": at,
                "panel": panel,
                "layer": layer,
                "layers": layers,
                "themes": {name: _colours(name) for name in ("light", "dark")},
                "digest": hashlib.sha256(repr((shown, words)).encode()).hexdigest(),
            },
            on_wish_change=take,
        )


def _is_layer(there: object, layers: int) -> bool:
    return there is None or (type(there) is int and 0 <= there < layers)


def _colours(theme: str) -> dict[str, str]:
    """A theme's colours under the names by which drawings know them."""
    return {css: str(st.get_option(f"theme.{theme}.{option}")) for css, option in _COLOURS.items()}
