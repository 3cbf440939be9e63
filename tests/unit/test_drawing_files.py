"""Drawings as files: each holds all that it shows, and asks nothing of where it is opened."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from modeldiff.architectures import Architecture, compare_facts
from modeldiff.drawings import DARK, LIGHT, METRICS, Heatmap
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.heatmap.svg.figure import TEXT_PX, heatmap_caption, heatmap_figure
from modeldiff.drawings.output.conversion import png_of
from modeldiff.drawings.output.embedded_font import embed_font
from modeldiff.drawings.output.figure import FigureSize, figure
from modeldiff.drawings.output.png import packed
from tests.support.architectures import llama_like, strange
from tests.support.changes import continued, made_changes
from tests.support.heatmaps import heatmap_of
from tests.support.pdf_text import pdf_text

KINDS = ["pair", "heatmap"]


def heatmap(architecture: Architecture) -> Heatmap:
    changes = made_changes(architecture, architecture, continued)
    return heatmap_of(changes, architecture, architecture, METRICS[0])


def drawing(kind: str) -> str:
    architecture = llama_like(2)
    if kind == "heatmap":
        return heatmap_figure(heatmap(architecture), 960, LIGHT)
    facts = compare_facts(architecture, architecture)
    both = side_by_side(architecture, architecture, facts)
    return side_by_side_svg(both, ("base/a", "target/<b> & c"), palette=LIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pdf_is_vectors_and_text_in_its_own_fonts(kind: str) -> None:
    pdf = figure(drawing(kind), 170).pdf()
    shown = pdf_text(pdf).replace(" ", "")
    for text in ("q_proj", "head", *(("base/a", "target/<b>&c") if kind == "pair" else ("floor",))):
        assert text in shown
    assert "\ufffd" not in shown
    assert pdf.count(b"/FontFile") == pdf.count(b"/FontDescriptor") // 2 > 0
    for outside in (b"/Subtype /Image", b"/URI", b"http", b"/JavaScript", b"/Type3"):
        assert outside not in pdf


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_is_packed_without_loss(kind: str) -> None:
    fast = png_of(drawing(kind), 2.0)
    png = packed(fast)
    assert len(png) < len(fast) / 2
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in (fast, png))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", KINDS)
def test_an_svg_takes_its_font_along_and_stays_the_same_drawing(kind: str) -> None:
    svg = drawing(kind)
    whole = ElementTree.fromstring(embed_font(svg, b"a font"))
    (style,) = (e for e in whole if e.tag.endswith("}style") and "@font-face" in (e.text or ""))
    assert "url(data:font/woff2;base64,YSBmb250)" in (style.text or "")
    family = re.search(r"font-family:('[^']+')", style.text or "")
    set_in = {font for e in whole.iter() if (font := e.get("font-family"))}
    assert family is not None and set_in and all(font.startswith(family[1]) for font in set_in)
    whole.remove(style)
    assert ElementTree.tostring(whole) == ElementTree.tostring(ElementTree.fromstring(svg))


@pytest.mark.parametrize("layers", [1, 4, 40])
@pytest.mark.parametrize("size", [FigureSize(85), FigureSize(170), FigureSize(170, 9)])
@pytest.mark.parametrize("across", [None, True, False])
def test_a_heatmap_has_the_width_and_the_text_that_were_asked_for(
    layers: int, size: FigureSize, across: bool | None
) -> None:
    width = size.drawing_width(TEXT_PX)
    svg = heatmap_figure(heatmap(llama_like(layers)), width, DARK, across=across)
    root = ElementTree.fromstring(svg)
    assert float(root.get("width") or 0) == pytest.approx(width, abs=1)
    assert figure(svg, size.width_mm).least_text_pt == pytest.approx(size.text_pt, rel=0.01)
    rows = [e for e in root.iter() if e.get("role") == "row"]
    cells = max(sum(1 for e in row.iter() if e.get("data-cell")) for row in rows)
    if layers == 40:
        assert (cells > 20) == (width > 640 if across is None else across)


def test_a_heatmaps_caption_says_what_is_seen_and_no_hash() -> None:
    words = heatmap_caption(heatmap(llama_like(2)), ("A 8B", "B 8B"))
    assert words.startswith("Median relative change of each tensor from A 8B to B 8B")
    assert "each have a scale of their own" in words and "\n" not in words


def test_hostile_names_stay_text_in_a_file() -> None:
    svg = heatmap_figure(heatmap(strange()), 960, LIGHT)
    assert "alert" in svg
    assert "<script" not in svg and png_of(svg, 1.0).startswith(b"\x89PNG")


def test_whatever_names_a_figure_it_is_made() -> None:
    """Titles and origins go into the file's own metadata, whose texts are as strict."""
    hostile = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDFFF, 0xFFFE, 0x202E)))
    made = figure(drawing("heatmap"), 85, f"title{hostile}", (f"origin{hostile}",))
    assert ElementTree.fromstring(made.svg()).find("{*}title") is not None
    assert made.pdf().startswith(b"%PDF")
    text = Image.open(io.BytesIO(made.png())).info["Description"]
    assert "title" in text and "origin" in text and not set(text) & set(hostile) - set("\t\n\r")
