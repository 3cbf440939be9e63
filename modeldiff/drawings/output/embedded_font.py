"""Fonts within an SVG."""

from __future__ import annotations

import base64

from modeldiff.drawings.style.palette import FILE_FONT


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
