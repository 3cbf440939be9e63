"""Drawings as files: PNG and PDF of what is on screen, rendered without a browser."""

from __future__ import annotations

import base64
import html
import re

from modeldiff.drawings.output.conversion import pdf_of, png_of
from modeldiff.drawings.output.png import packed, with_text
from modeldiff.drawings.style.palette import FILE_FONT


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
