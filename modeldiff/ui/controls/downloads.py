"""Download buttons. What is downloaded is built when a button is pressed, not before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from modeldiff._version import __version__
from modeldiff.comparison import Comparison
from modeldiff.drawings import DARK, LIGHT
from modeldiff.drawings.poster.poster import PAPERS, poster
from modeldiff.drawings.report import report_html
from modeldiff.model import Model
from modeldiff.results import Result, ResultHeader, write_result
from modeldiff.text.file_names import pair_slug
from modeldiff.ui.controls.diff_progress import DiffState

_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def result_downloads(comparison: Comparison | None, result: Result) -> None:
    """The whole diff as a report and a poster (without a ``comparison``, of a result whose models
    are not here: as far as its rows tell), and its change table as CSV, JSON and Parquet, each with
    where it came from."""
    name = pair_slug(result.header.names if comparison is None else comparison.names)
    with st.container(horizontal=True):
        st.download_button(
            "Report",
            lambda: report_html(result, comparison),
            file_name=f"{name}-report.html",
            mime="text/html",
            key="download_html",
            icon=":material/article:",
            help="One page with everything, to mail, keep or print.",
            on_click="ignore",
        )
        _poster_download(comparison, result, name)
        for suffix, mime in _TYPES.items():
            st.download_button(
                suffix.upper() if suffix != "parquet" else "Parquet",
                _written(result, suffix),
                file_name=f"{name}-changes.{suffix}",
                mime=mime,
                key=f"download_{suffix}",
                icon=":material/download:",
                on_click="ignore",
            )


def _poster_download(comparison: Comparison | None, result: Result, name: str) -> None:
    """The change as a poster, on the chosen paper in the chosen colours."""
    with st.popover("Poster", icon=":material/wallpaper:", help="One sheet for the wall"):
        paper = st.segmented_control(
            "Paper", tuple(PAPERS), default="A3", required=True, key="poster_paper"
        )
        theme = st.segmented_control(
            "Colours", ("Light", "Dark"), default="Light", required=True, key="poster_theme"
        )
        palette = DARK if theme == "Dark" else LIGHT
        st.download_button(
            "PDF",
            lambda: poster(result, comparison, palette, paper).pdf(),
            file_name=f"{name}-poster-{paper}.pdf",
            mime="application/pdf",
            key="download_poster",
            icon=":material/download:",
            on_click="ignore",
        )


def diff_downloads(comparison: Comparison, state: DiffState) -> None:
    """The downloads of a diff that has a result, under a line that says what they are."""
    if state.result is not None:
        st.caption("The whole diff, every tensor with all its numbers and where they come from:")
        result_downloads(comparison, state.result)


def provenance(comparison: Comparison, state: DiffState | None = None) -> tuple[str, ...]:
    """What a drawing came from, in lines for its file. ``state`` where it shows a diff."""
    lines = [
        f"{role}: {_identity(side)}"
        for role, side in (("Base", comparison.base), ("Target", comparison.target))
    ]
    if state is not None and state.result is not None:
        lines.append(_measured(state.result.header))
    else:
        lines.append(f"modeldiff {__version__}")
    return tuple(lines)


def saved_provenance(header: ResultHeader) -> tuple[str, ...]:
    """The same of a drawing of a saved result."""
    return (
        f"Base: {header.base_reference}, {header.base_fingerprint}",
        f"Target: {header.target_reference}, {header.target_fingerprint}",
        _measured(header),
    )


def side_provenance(model: Model) -> tuple[str, ...]:
    """The same of a drawing of one model."""
    return _identity(model), f"modeldiff {__version__}"


def _measured(header: ResultHeader) -> str:
    return (
        f"Measured on {header.device} by modeldiff {header.version}, {header.created}, "
        f"options: {header.options_text}"
    )


def _identity(model: Model) -> str:
    return f"{model.checkpoint.reference.text}, {model.checkpoint.fingerprint}"


def _written(result: Result, suffix: str) -> Callable[[], bytes]:
    def write() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"result.{suffix}"
            write_result(result, path)
            return path.read_bytes()

    return write
