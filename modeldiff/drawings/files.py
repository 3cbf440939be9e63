"""Drawings as files: PNG and PDF of what is on screen, rendered without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair as alt

_CHART_WIDTH = 960


def svg_to_png(svg: str, *, scale: float = 2.0) -> bytes:
    """An SVG with concrete colours as a PNG of ``scale`` times its size."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=scale))


def svg_to_pdf(svg: str) -> bytes:
    """An SVG with concrete colours as a PDF of one page."""
    import vl_convert

    return bytes(vl_convert.svg_to_pdf(svg))


def chart_to_svg(chart: alt.LayerChart, *, title: str = "", caption: Sequence[str] = ()) -> str:
    """A chart made with a palette as an SVG, with a title and lines of caption over it."""
    import altair as alt
    import vl_convert

    heading = alt.TitleParams(
        title, subtitle=list(caption), anchor="start", fontSize=17, subtitleFontSize=11, offset=14
    )
    whole = chart.properties(width=_CHART_WIDTH, **({"title": heading} if title else {}))
    # Altair refuses more rows than notebooks bear; the experts of a large mixture are more cells.
    with alt.data_transformers.enable("default", max_rows=None):
        return str(vl_convert.vegalite_to_svg(whole.to_dict()))
