"""The gallery's entries as cards, with small heatmaps in the same colours; each opens its result,
for which no weights are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from modeldiff.drawings import Heatmap, HeatmapSize, Metric, gather_cells, heatmap_svg
from modeldiff.drawings.heatmap.shared_scale import on_one_scale
from modeldiff.errors import ResultError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import Result
from modeldiff.results.gallery.collection import (
    GALLERY,
    gallery_entries,
    gallery_folder,
    read_entry_result,
)
from modeldiff.results.gallery.entry import GalleryEntry, licences_text
from modeldiff.ui.controls.choosers import choose_metric
from modeldiff.ui.session.selected_pair import PairChoice, pair_query
from modeldiff.ui.session.url_state import current_view
from modeldiff.ui.summary.narrative_panel import narrative_of, sentence_text
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.markdown import code, plain
from modeldiff.ui.widgets.scrollable_svg import scrolled_drawing

_CARD = HeatmapSize(356, font=13, rows=190, least_row=15, most_row=20, margins=False, numbers=False)
_LEAST_WIDTH = 420
_FolderState = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class _Exhibit:
    """An entry with its result."""

    entry: GalleryEntry
    result: Result


def gallery_view() -> None:
    """Draw the page: how the pictures are coloured, then a card for each entry."""
    with st.container(key="page_head"):
        st.title("Gallery", anchor=False)
    exhibits = _exhibits(_state_of(gallery_folder()))
    if not exhibits:
        st.markdown("The gallery has no entries here.")
        return
    st.markdown("Pairs measured beforehand. Each opens without its weights.")
    st.page_link("pages/fleet.py", label="Fleet: your own results side by side")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=320):
            metric = choose_metric(current_view("gallery"))
        how_to_read("heatmap")
    if metric.rises:
        st.caption("All pictures share one scale: a colour is the same number in each.")
    drawings = _drawings(_state_of(gallery_folder()), metric.key, exhibits, metric)
    with st.grid(2, min_column_width=_LEAST_WIDTH):
        for exhibit, svg in zip(exhibits, drawings, strict=True):
            with st.container(border=True, key=f"exhibit_{exhibit.entry.name}"):
                _card(exhibit, svg)


def _card(exhibit: _Exhibit, svg: str) -> None:
    entry = exhibit.entry
    st.subheader(plain(entry.title), anchor=False)
    st.markdown(plain(entry.note))
    scrolled_drawing(svg, key=f"drawing_{entry.name}")
    st.markdown(sentence_text(narrative_of(exhibit.result).headline))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/result.py",
            label="Open the result",
            query_params={"result": f"{GALLERY}{entry.name}"},
        )
        st.page_link(
            "pages/compare.py",
            label="Open the models",
            query_params=pair_query(PairChoice(entry.base.source, entry.target.source)),
        )
    st.caption(_origin_text(entry))


def _origin_text(entry: GalleryEntry) -> str:
    """Where an entry is from, as Markdown: sources, licences, the day."""
    base, target = entry.base, entry.target
    return (
        f"{code(base.source)} → {code(target.source)} · licence: "
        f"{plain(licences_text(entry))} · measured on {plain(entry.date)}"
    )


def _state_of(folder: Path) -> _FolderState:
    """What changes when an entry does."""
    try:
        states = [(path.name, path.stat()) for path in sorted(folder.glob("*.*"))]
    except OSError:
        return ()
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


@st.cache_resource(max_entries=2, show_spinner=False)
def _exhibits(state: _FolderState) -> tuple[_Exhibit, ...]:
    del state
    exhibits = []
    for entry in gallery_entries():
        try:
            exhibits.append(_Exhibit(entry, read_entry_result(entry.name)))
        except ResultError:
            # One that is damaged hides no other; `scripts.gallery check` says what is wrong.
            continue
    return tuple(exhibits)


@st.cache_resource(max_entries=16, show_spinner="Drawing …")
def _drawings(
    state: _FolderState, metric_key: str, _exhibits: Sequence[_Exhibit], _metric: Metric
) -> tuple[str, ...]:
    del state, metric_key
    heatmaps = [
        Heatmap.of_cells(gather_cells(exhibit.result.changes), _metric) for exhibit in _exhibits
    ]
    return tuple(heatmap_svg(heatmap, _CARD) for heatmap in on_one_scale(heatmaps))
