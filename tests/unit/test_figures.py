"""Figures for papers: of the size that was asked for, in fonts that publishers take."""

from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import pytest

from modeldiff.drawings.output.figure import FigureSize, figure
from modeldiff.drawings.output.slide import on_slide
from modeldiff.drawings.output.text_sizes import least_text_size
from modeldiff.drawings.style.fonts import HEADING, REGULAR, SANS, SEMIBOLD, SERIF
from modeldiff.drawings.style.palette import LIGHT
from modeldiff.errors import InvalidOption
from tests.support.pdf_text import pdf_text, unpacked_streams

DRAWING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 100" width="400" height="100"'
    f' font-family="{SANS}"><style>.small{{font-size:10px}} text{{font-size:14px}}</style>'
    '<text x="10" y="30">tokens → θ × ≠ ✓</text>'
    '<text x="10" y="60" font-weight="600">bold</text>'
    f'<text class="small" x="10" y="80" font-family="{SERIF}" font-weight="600">serif</text></svg>'
)
ORIGIN = ("base: a/b, 0123456789abcdef", "target: ü → ☃")


def painted_text_sizes(pdf: bytes) -> set[float]:
    """The sizes in points that letters are painted in, by the matrices that hold where they are."""
    [content] = [text for text in unpacked_streams(pdf) if b" Tf" in text]
    sizes, scales, within = set(), [1.0], 1.0
    for line in content.decode("latin-1").splitlines():
        words = line.split()
        match words[-1:]:
            case ["q"]:
                scales.append(scales[-1])
            case ["Q"]:
                scales.pop()
            case ["cm"]:
                scales[-1] *= abs(float(words[3]))
            case ["Tm"]:
                within = abs(float(words[3]))
            case ["Tf"]:
                sizes.add(float(words[-2]) * within * scales[-1])
    return sizes


def test_a_pdf_has_the_size_and_the_text_that_were_asked_for() -> None:
    one = figure(DRAWING, 85, "A title", ORIGIN)
    pdf = one.pdf()
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert box is not None
    assert [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx(
        [85, 85 / 4], abs=0.01
    )
    assert one.least_text_pt == pytest.approx(10 / 400 * 85 / 25.4 * 72)
    sizes = painted_text_sizes(pdf)
    assert min(sizes) == pytest.approx(one.least_text_pt, rel=1e-3)
    assert max(sizes) == pytest.approx(14 / 10 * min(sizes), rel=1e-3)


def test_a_pdf_embeds_static_fonts_and_no_type_3() -> None:
    pdf = figure(DRAWING, 170).pdf()
    assert b"/Type3" not in pdf
    names = set(re.findall(rb"/BaseFont /[A-Z]{6}\+([\w-]+)", pdf))
    assert names == {
        b"SourceSansPro-Regular",
        b"SourceSansPro-Semibold",
        b"SourceSerifPro-Semibold",
    }
    assert pdf.count(b"/FontFile2") == len(names)
    assert "tokens→θ×≠✓" in pdf_text(pdf).replace(" ", "")


def test_what_it_came_from_is_in_the_file_and_not_on_the_page() -> None:
    one = figure(DRAWING, 170, "A title", ORIGIN)
    pdf = one.pdf()
    subject = re.findall(rb"/Subject <FEFF([0-9a-f]+)>", pdf)[-1]
    assert bytes.fromhex(subject.decode()).decode("utf-16-be") == "\n".join(ORIGIN)
    assert "0123456789abcdef" not in pdf_text(pdf)
    # The appended table says where the appended object is.
    start = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    at = int(re.findall(rb"(\d{10}) 00000 n", pdf[start:])[0])
    assert re.match(rb"\d+ 0 obj\n<< /Title", pdf[at:])
    root = ElementTree.fromstring(one.svg())
    assert root.get("width") == "170mm" and root.get("height") == "42.50mm"
    title, description = root[0], root[1]
    assert title.text == "A title" and description.text == "\n".join(ORIGIN)


def test_a_png_has_the_pixels_of_its_size() -> None:
    png = figure(DRAWING, 25.4).png(dots_per_inch=300)
    assert struct.unpack(">II", png[16:24]) == (300, 75)


def test_text_is_as_large_as_asked_where_a_drawing_follows_its_width() -> None:
    size = FigureSize(170, 7)
    width = size.drawing_width(14)
    drawing = DRAWING.replace("0 0 400 100", f"0 0 {width} 100").replace("10px", "14px")
    assert figure(drawing, 170).least_text_pt == pytest.approx(7)


@pytest.mark.parametrize("size", [(0, 7), (float("nan"), 7), (1e9, 7), (170, 0), (170, 1e3)])
def test_a_size_that_no_page_has_is_refused(size: tuple[float, float]) -> None:
    with pytest.raises(InvalidOption):
        FigureSize(*size)


def test_text_on_a_slide_is_as_large_as_the_slide_makes_it() -> None:
    slide = on_slide(DRAWING, LIGHT)
    assert least_text_size(slide) == pytest.approx(10 * (1280 - 48) / 400)
    assert figure(slide, 338.67).height_mm == pytest.approx(190.5, abs=0.1)


def test_widths_are_those_of_the_font() -> None:
    # From Adobe's own metrics: figures are tabular, 497 and 514 thousandths wide.
    assert REGULAR.width("0123456789", 10) == pytest.approx(49.7)
    assert SEMIBOLD.width("0123456789", 10) == pytest.approx(51.4)
    assert HEADING.width("→", 10) > 0
    assert REGULAR.width("\U0001f600", 10) == 10
    assert REGULAR.shorten("a" * 100_000, 50, 10).count("…") == 1
    assert REGULAR.width(REGULAR.shorten("model" * 40, 80, 10), 10) <= 80
