"""The heatmap on the page: an SVG whose cells are pointed at, clicked or walked by keyboard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import streamlit as st

from modeldiff.findings.selection import ChosenCell
from modeldiff.ui.widgets.component_words import last_word
from modeldiff.ui.widgets.going import GOING_JS

_KEY = "heatmap_picture"
_HTML = """
<div class="stage">
  <p class="over"><span class="line" aria-live="polite"></span>
    <button class="full" type="button">Full screen</button></p>
  <div class="stuck" aria-hidden="true" hidden></div>
  <div class="host"></div>
</div>
"""
_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "clickable_heatmap",
    html=_HTML,
    css=(_HERE / "clickable_heatmap.css").read_text(encoding="utf-8"),
    js=GOING_JS
    + (_HERE / "heatmap_cells.js").read_text(encoding="utf-8")
    + (_HERE / "clickable_heatmap.js").read_text(encoding="utf-8"),
)
PictureCell = tuple[ChosenCell, str]
"""What a cell chooses, and what it says in a sentence."""


def clickable_heatmap(
    drawings: Mapping[str, str],
    cells: Sequence[PictureCell],
    *,
    title: str,
    hint: str,
    selected: int | None,
    on_choose: Callable[[ChosenCell | None], None],
    on_ceiling: Callable[[int, int], None] | None = None,
    leads_to: str = "",
) -> None:
    """Draw one of a few SVGs of the same heatmap, whose cells carry ``data-cell``.

    Args:
        drawings: by name: ``phone`` and ``tall`` with layers down, ``small``, ``page`` and
            ``screen`` with layers across, each for more room than the one before. A drawing grows
            with its room, as long as it is whole on one screen.
        cells: what stands at each ``data-cell``.
        title: written over the picture on a full screen.
        hint: what the line over the picture says while no cell is pointed at.
        selected: the cell that is outlined.
        on_choose: called, before the script runs again, with the cell that was clicked or entered;
            with None when the chosen one was once more, or was left by Escape.
        on_ceiling: called with a cell and a step up (1) or down (-1) when its scale is to end
            higher or lower.
        leads_to: the address of a page below the app's where a cell is opened, with the whole query
            and the cell's layer and component; nothing is called then.
    """
    # Whoever calls says what is chosen: the browser's last click is no longer the state, and the
    # same click counts as a change after the choice moved on.
    now = {"at": selected}
    st.session_state.setdefault(_KEY, {})["view"] = now
    words = [words for _, words in cells]
    digest = hashlib.sha256(repr((sorted(drawings.items()), words)).encode()).hexdigest()

    def take() -> None:
        at = (last_word(_KEY, "view") or now).get("at")
        # A browser can say anything.
        if at is None and selected is not None:
            on_choose(None)
        elif type(at) is int and 0 <= at < len(cells) and at != selected:
            on_choose(cells[at][0])

    def take_ceiling() -> None:
        wish = last_word(_KEY, "ceiling")
        if on_ceiling is None or not isinstance(wish, dict):
            return
        at, step = wish.get("at"), wish.get("step")
        if type(at) is int and 0 <= at < len(cells) and step in (-1, 1):
            on_ceiling(at, step)

    _component(
        key=_KEY,
        data={
            "drawings": dict(drawings),
            "words": words,
            "layered": [cell.layer is not None and bool(cell.column) for cell, _ in cells],
            "at": selected,
            "title": title,
            "hint": hint,
            "digest": digest,
            "leadsTo": leads_to,
            "places": [[cell.layer, cell.column] for cell, _ in cells] if leads_to else [],
        },
        on_view_change=take,
        on_ceiling_change=take_ceiling,
    )
