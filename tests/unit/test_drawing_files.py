"""Drawings as files: each holds all that it shows, and asks nothing of where it is opened."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from modeldiff.architectures import compare_facts
from modeldiff.drawings import LIGHT, METRICS, heatmap_svg
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.output.conversion import png_of
from modeldiff.drawings.output.rendering import embed_font, svg_to_pdf, svg_to_png
from tests.support.architectures import llama_like
from tests.support.changes import continued, made_changes
from tests.support.heatmaps import heatmap_of
from tests.support.pdf_text import pdf_text

TITLE = "base/a → target/<b> & c"
CAPTION = ("Base: base/a, 1234", "Target: target/<b>, 5678")


def drawing(kind: str) -> str:
    architecture = llama_like(2)
    changes = made_changes(architecture, architecture, continued)
    if kind == "pair":
        facts = compare_facts(architecture, architecture)
        both = side_by_side(architecture, architecture, facts)
        names = ("base", "target")
        return side_by_side_svg(both, names, palette=LIGHT, title=TITLE, caption=CAPTION)
    heatmap = heatmap_of(changes, architecture, architecture, METRICS[0])
    return heatmap_svg(heatmap, palette=LIGHT, title=TITLE, caption=CAPTION)


@pytest.mark.parametrize("kind", ["pair", "heatmap"])
def test_a_pdf_is_vectors_and_text_in_its_own_fonts(kind: str) -> None:
    svg = drawing(kind)
    pdf = svg_to_pdf(svg)
    assert pdf.startswith(b"%PDF")
    root = ElementTree.fromstring(svg)
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert box is not None
    size = [float(root.get(side) or 0) for side in ("width", "height")]
    assert [float(number) for number in box.groups()] == pytest.approx(size, abs=1)
    shown = pdf_text(pdf).replace(" ", "")
    for text in (TITLE, *CAPTION, "q_proj", "head"):
        assert text.replace(" ", "") in shown
    assert "\ufffd" not in shown
    assert pdf.count(b"/FontFile") == pdf.count(b"/FontDescriptor") // 2 > 0
    for outside in (b"/Subtype /Image", b"/URI", b"http", b"/JavaScript"):
        assert outside not in pdf


@pytest.mark.parametrize("kind", ["pair", "heatmap"])
def test_a_png_is_twice_as_large(kind: str) -> None:
    svg = drawing(kind)
    root = ElementTree.fromstring(svg)
    png = svg_to_png(svg)
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    size = [2 * float(root.get(side) or 0) for side in ("width", "height")]
    assert [width, height] == pytest.approx(size, abs=2)


@pytest.mark.parametrize("kind", ["pair", "heatmap"])
def test_a_png_is_packed_without_loss(kind: str) -> None:
    svg = drawing(kind)
    fast = png_of(svg, 2.0)
    png = svg_to_png(svg)
    assert len(png) < len(fast) / 2
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in (fast, png))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", ["pair", "heatmap"])
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
