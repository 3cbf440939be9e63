"""Drawings as files: PNG and PDF of what is on screen, rendered without a browser."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modeldiff.drawings.output.conversion import pdf_of, png_of, svg_of
from modeldiff.drawings.output.png import packed, with_text
from modeldiff.drawings.style.palette import FILE_FONT
from modeldiff.drawings.style.svg import described

if TYPE_CHECKING:
    import altair as alt

_CHART_WIDTH = 960


def svg_to_png(svg: str, *, scale: float = 2.0) -> bytes:
    """An SVG with concrete colours as a PNG of ``scale`` times its size.

    What the SVG is ``described`` by stands in the PNG as its text ``Description``.
    """
    png = packed(png_of(svg, scale))
    description = re.match("<svg[^>]*><desc>(.*?)</desc>", svg, re.DOTALL)
    return with_text(png, html.unescape(description.group(1))) if description else png


def svg_to_pdf(svg: str) -> bytes:
    """An SVG with concrete colours as a PDF of one page: vectors, and text in embedded fonts."""
    return pdf_of(svg)


def embed_font(svg: str, woff2: bytes, family: str = FILE_FONT.partition(",")[0]) -> str:
    """The SVG with a font in it, so that it reads the same where that font is not installed.

    ``woff2`` is a variable font of this ``family``, by default the one that ``FILE_FONT`` names
    first. Programs that know no fonts in an SVG take the next one of the list.
    """
    data = base64.b64encode(woff2).decode()
    face = (
        f"@font-face{{font-family:{family};font-weight:200 900;"
        f"src:url(data:font/woff2;base64,{data}) format('woff2')}}"
    )
    start, end, rest = svg.rpartition("</svg>")
    return f"{start}<style>{face}</style>{end}{rest}"


def chart_to_svg(chart: alt.LayerChart, *, title: str = "", caption: Sequence[str] = ()) -> str:
    """A chart made with a palette as an SVG, with a title and lines of caption over it."""
    import altair as alt

    heading = alt.TitleParams(
        title, subtitle=list(caption), anchor="start", fontSize=17, subtitleFontSize=11, offset=14
    )
    whole = chart.properties(width=_CHART_WIDTH, **({"title": heading} if title else {}))
    # Altair refuses more rows than notebooks bear; the experts of a large mixture are more cells.
    with alt.data_transformers.enable("default", max_rows=None):
        return described(svg_of(whole.to_dict()), caption)
