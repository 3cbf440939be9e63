"""Download buttons. What is downloaded is built when a button is pressed, not before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from modeldiff.results import Result, write_result

_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def result_downloads(result: Result) -> None:
    """The whole change table with where it came from, as CSV, JSON and Parquet."""
    with st.container(horizontal=True):
        for suffix, mime in _TYPES.items():
            st.download_button(
                suffix.upper() if suffix != "parquet" else "Parquet",
                _written(result, suffix),
                file_name=f"modeldiff-{result.key[:12]}.{suffix}",
                mime=mime,
                key=f"download_{suffix}",
                icon=":material/download:",
                on_click="ignore",
            )


def drawing_downloads(name: str, draw: Callable[[], str]) -> None:
    """A drawing as SVG and PNG. ``draw`` returns the SVG in plain colours."""
    with st.container(horizontal=True):
        st.download_button(
            "SVG",
            draw,
            file_name=f"{name}.svg",
            mime="image/svg+xml",
            key="download_svg",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "PNG",
            lambda: _png(draw()),
            file_name=f"{name}.png",
            mime="image/png",
            key="download_png",
            icon=":material/download:",
            on_click="ignore",
        )


def _written(result: Result, suffix: str) -> Callable[[], bytes]:
    def write() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"result.{suffix}"
            write_result(result, path)
            return path.read_bytes()

    return write


def _png(svg: str) -> bytes:
    import vl_convert

    png: bytes = vl_convert.svg_to_png(svg, scale=2)
    return png
