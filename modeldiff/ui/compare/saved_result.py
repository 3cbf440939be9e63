"""A kept or given result, shown from its rows alone: its models need not be here."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.hub.visibility import is_reference_for_everybody
from modeldiff.checkpoints.local.allowed_paths import is_allowed
from modeldiff.drawings import METRICS, Heatmap, gather_cells
from modeldiff.drawings.heatmap.svg.figure import TEXT_PX, heatmap_caption, heatmap_figure
from modeldiff.errors import InvalidReference, ResultError
from modeldiff.results import Result, find_result
from modeldiff.results.gallery.collection import GALLERY, read_entry
from modeldiff.results.gallery.entry import GalleryEntry, licences_text
from modeldiff.text.file_names import pair_slug
from modeldiff.ui.compare.first_screen import saved_screen
from modeldiff.ui.compare.numbers import numbers
from modeldiff.ui.controls.downloads import saved_provenance
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.session.opening import NotOpened, open_side
from modeldiff.ui.session.presenting import present_button
from modeldiff.ui.session.selected_pair import PairChoice, pair_query
from modeldiff.ui.widgets.copy_button import copy_button
from modeldiff.ui.widgets.markdown import code, plain


def saved_result() -> None:
    """Draw the result that the address names."""
    result = named_result()
    if result is None:
        st.title("No such result", anchor=False)
        st.markdown(
            "It was never saved on this machine, or has been deleted. Open its file under Pair."
        )
        st.page_link("pages/compare.py", label="To Compare")
        return
    header = result.header
    references = header.base_reference, header.target_reference
    names = names_of(result)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title(plain(names), anchor=False, width="content")
        with st.container(horizontal=True, width="content", gap="xsmall"):
            copy_button("Copy link", key="copy_link")
            present_button("answer")
    entry = _entry(st.query_params.get("result", ""))
    if entry is not None:
        st.caption(f"{plain(entry.title)}, from the gallery: {plain(entry.note)}")
    saved_screen(result)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"A saved result of {code(references[0])} → {code(references[1])}, "
            f"{header.created[:16].replace('T', ' ')} UTC, by modeldiff {plain(header.version)}."
            + (f" Licence: {plain(licences_text(entry))}." if entry is not None else "")
        )
        st.page_link(
            "pages/compare.py",
            label="Open the models",
            query_params=pair_query(PairChoice(*references)),
        )
    heatmap = Heatmap.of_cells(gather_cells(result.changes), METRICS[0])
    figure_downloads(
        f"{pair_slug(header.names)}-heatmap",
        lambda width, palette: heatmap_figure(heatmap, width, palette),
        text_px=TEXT_PX,
        caption=heatmap_caption(heatmap, header.names),
        origin=saved_provenance(header),
    )
    numbers(names, result)


def names_of(result: Result) -> str:
    """Both models of a result by their names."""
    return " → ".join(result.header.names)


def _entry(name: str) -> GalleryEntry | None:
    """The gallery's entry that a result is, None for any other."""
    if not name.startswith(GALLERY):
        return None
    try:
        return read_entry(name.removeprefix(GALLERY))
    except ResultError:
        return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(key: str) -> Result:
    result = find_result(key)
    if result is None:
        raise LookupError(key)
    return result


def named_result() -> Result | None:
    """The result that the address names; None where there is none, and where it was measured here
    of a folder that may not be opened here, or of a repository that the Hub does not show to
    whoever is looking."""
    name = st.query_params.get("result", "")
    try:
        result = _kept(name)
    except LookupError:
        return None
    return result if _is_theirs(name, result) else None


def _is_theirs(name: str, result: Result) -> bool:
    header = result.header
    if name.startswith(GALLERY) or result.key != header.key:  # measured elsewhere, and brought here
        return True
    return all(map(_may_see, (header.base_reference, header.target_reference)))


def _may_see(text: str) -> bool:
    try:
        reference = parse_reference(text)
    except InvalidReference:  # what it was measured of is gone, or outside the roots
        return all(is_allowed(Path(part)) for part in text.split(" + ") if part.startswith("/"))
    return is_reference_for_everybody(reference) or not isinstance(open_side(text), NotOpened)
