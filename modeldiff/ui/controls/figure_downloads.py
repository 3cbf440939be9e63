"""A drawing as a file: how wide it is to be in print, how large its text, light or dark, and the
caption that goes with it. What is downloaded is built when a button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from modeldiff.drawings import DARK, LIGHT, Palette
from modeldiff.drawings.output.embedded_font import embed_font
from modeldiff.drawings.output.figure import (
    LARGEST_PT,
    NARROWEST_MM,
    ONE_COLUMN_MM,
    SMALLEST_PT,
    TWO_COLUMNS_MM,
    WIDEST_MM,
    Figure,
    FigureSize,
    figure,
)
from modeldiff.drawings.output.slide import SLIDE_MM, on_slide
from modeldiff.errors import InvalidOption
from modeldiff.ui.widgets.error_box import show_error

Draw = Callable[[float, Palette], str]
"""Draws for a width in pixels, in the colours of a palette."""
Width = Literal["One column", "Two columns", "Slide", "Other"]
_WIDTHS: dict[Width, float] = {
    "One column": ONE_COLUMN_MM,
    "Two columns": TWO_COLUMNS_MM,
    "Slide": SLIDE_MM,
}
_DEFAULT: Width = "Two columns"
_SERIF = "'Source Serif 4'"
_TEXT_PT, _SLIDE_PT = 7.0, 11.0


def figure_downloads(
    name: str,
    draw: Draw,
    *,
    text_px: float | None,
    caption: str = "",
    origin: Sequence[str] = (),
    key: str = "drawing",
    folded: bool = False,
) -> None:
    """A drawing as SVG, PNG and PDF of a chosen size, and its ``caption`` to be copied; ``folded``:
    behind one button, for a row of choosers.

    ``text_px`` is the size of the drawing's least text; None for one that has a width of its own,
    whose text is as large as that makes it. ``origin`` is what it came from, for the file's
    metadata. ``key`` tells the buttons apart where a page has several drawings.
    """
    if folded:
        with st.popover("Save", icon=":material/download:", key=f"{key}_save", width="stretch"):
            buttons = st.container(horizontal=True)
            size, slide, palette = _choose(key, sized=text_px is not None)
            sizes = st.container()
            _caption(caption)
    else:
        row, sizes = st.container(horizontal=True, vertical_alignment="bottom"), st.container()
        with row:
            with st.popover("Figure", icon=":material/straighten:", help="Width, text, colours"):
                size, slide, palette = _choose(key, sized=text_px is not None)
                _caption(caption)
            buttons = st.container(horizontal=True, width="content")

    def made() -> Figure:
        drawing = draw(size.drawing_width(text_px or 1.0), palette)
        if slide:
            drawing = on_slide(drawing, palette)
        return figure(drawing, size.width_mm, caption, origin)

    with buttons:
        _drawing_buttons(
            name,
            key,
            svg=lambda: _with_fonts(made().svg()),
            png=lambda: made().png(),
            pdf=lambda: made().pdf(),
        )
    with sizes:
        if text_px is None or (size, slide) != (FigureSize(_WIDTHS[_DEFAULT], _TEXT_PT), False):
            _say_what_comes(made)


def _caption(caption: str) -> None:
    if caption:
        st.caption("Caption to copy:")
        st.code(caption, language=None, wrap_lines=True)


def _drawing_buttons(
    name: str,
    key: str,
    *,
    svg: Callable[[], str],
    png: Callable[[], bytes],
    pdf: Callable[[], bytes],
) -> None:
    """The buttons that save a drawing, called ``name``, as each kind of file; it is made when one
    is pressed. ``key`` tells the buttons apart where a page has several drawings."""
    files: tuple[tuple[str, str, Callable[[], str | bytes]], ...] = (
        ("svg", "image/svg+xml", svg),
        ("png", "image/png", png),
        ("pdf", "application/pdf", pdf),
    )
    for suffix, mime, data in files:
        st.download_button(
            suffix.upper(),
            data,
            file_name=f"{name}.{suffix}",
            mime=mime,
            key=f"{key}_{suffix}",
            icon=":material/download:",
            on_click="ignore",
        )


def _app_font(name: str = "SourceSansVF-Upright") -> bytes:
    """A variable font that comes with Streamlit, by the beginning of its file's name: by default
    that of the app's text, 170 kB of Source Sans."""
    folder = Path(st.__file__).parent / "static" / "static" / "media"
    return next(folder.glob(f"{name}*.woff2")).read_bytes()


def _with_fonts(svg: str) -> str:
    """The SVG with the fonts that it names."""
    svg = embed_font(svg, _app_font())
    if _SERIF in svg:
        svg = embed_font(svg, _app_font("SourceSerifVariable-Roman"), _SERIF)
    return svg


def _choose(key: str, *, sized: bool) -> tuple[FigureSize, bool, Palette]:
    width: Width = (
        st.segmented_control(
            "Width",
            (*_WIDTHS, "Other"),
            default=_DEFAULT,
            key=f"{key}_width",
            format_func=lambda one: (
                f"{one}: {_WIDTHS[one]:g} mm" if one in ("One column", "Two columns") else one
            ),
        )
        or _DEFAULT
    )
    width_mm = _WIDTHS.get(width, 0.0) or st.number_input(
        "Millimetres", NARROWEST_MM, WIDEST_MM, TWO_COLUMNS_MM, 5.0, key=f"{key}_mm"
    )
    slide = width == "Slide"
    text_pt = _SLIDE_PT if slide else _TEXT_PT
    if sized:
        text_pt = st.number_input(
            "Least text in points",
            SMALLEST_PT,
            LARGEST_PT,
            text_pt,
            0.5,
            key=f"{key}_{'slide' if slide else 'paper'}_pt",
        )
    dark = st.segmented_control("Colours", ("Light", "Dark"), default="Light", key=f"{key}_theme")
    return FigureSize(width_mm, text_pt), slide, DARK if dark == "Dark" else LIGHT


def _say_what_comes(made: Callable[[], Figure]) -> None:
    try:
        one = made()
    except InvalidOption as error:
        show_error(error, about="This figure cannot be made.")
        return
    least = one.least_text_pt
    text = f", least text {least:.1f} pt" if least is not None else ""
    st.caption(f"The figure: {one.width_mm:.0f} × {one.height_mm:.0f} mm{text}.")
