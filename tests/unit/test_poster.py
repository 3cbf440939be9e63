"""The poster: all on one sheet, whatever heatmap comes, whole references in the file alone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.drawings import DARK, LIGHT, Palette
from modeldiff.drawings.poster.poster import HEIGHT, PAPERS, WIDTH, Paper, poster, poster_svg
from modeldiff.drawings.poster.words import PosterWords, poster_words
from modeldiff.results import Result, run_diff
from tests.support.pdf_text import pdf_text

SVG = "{http://www.w3.org/2000/svg}"
HEATMAP = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}"><rect id="heat"/></svg>'


@cache
def measured() -> tuple[Result, Comparison]:
    comparison = Comparison.open("demo:base", "demo:continued")
    return run_diff(comparison, cache=False), comparison


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_a_poster_is_one_sheet_with_all_of_it(palette: Palette, paper: Paper) -> None:
    result, comparison = measured()
    one = poster(result, comparison, palette, paper)
    assert one.width_mm == PAPERS[paper]
    assert one.width_mm / one.height_mm == pytest.approx(2**0.5, abs=0.001)
    pdf = one.pdf()
    text = pdf_text(pdf).replace(" ", "")
    words = poster_words(result, comparison)
    for part in (words.sentence, words.origin, "Demobase→Democontinued", "Whereitsits", "q_proj"):
        assert part.replace(" ", "") in text
    header = result.header
    assert header.base_fingerprint not in text
    assert header.base_fingerprint.rpartition(":")[2][:8] in text
    assert header.base_fingerprint in one.svg()
    assert b"/Type3" not in pdf


def test_a_kept_result_has_a_poster_without_its_models() -> None:
    result, comparison = measured()
    svg = poster(result, None, LIGHT, "A4").svg()
    assert poster_words(result, comparison).sentence in svg
    assert "Demo continued" in svg and "Where it sits" not in svg and "Built the same" not in svg


@pytest.mark.parametrize("size", [(100, 10), (100, 100), (10, 100)])
def test_any_heatmap_has_its_place(size: tuple[int, int]) -> None:
    words = poster_words(*measured())
    svg = poster_svg(("a", "b"), words, HEATMAP.format(*size), HEATMAP.format(30, 10), LIGHT)
    root = ElementTree.fromstring(svg)
    heatmap, diagram = root.findall(f"{SVG}svg")
    sides = [
        tuple(float(str(one.get(side))) for side in ("x", "y", "width", "height"))
        for one in (heatmap, diagram)
    ]
    for x, y, width, height in sides:
        assert x > 40 and y > 40 and x + width < WIDTH - 40 and y + height < HEIGHT - 40
    assert sides[0][1] + sides[0][3] < sides[1][1], "the heatmap is above the diagram"


def test_hostile_names_are_text_and_long_words_are_cut() -> None:
    evil = "<script>alert(1)</script>&\x00\ud800" * 30
    words = PosterWords(evil, (evil,), (), evil, evil, evil)
    svg = poster_svg((evil, evil), words, HEATMAP.format(9, 3), "", LIGHT)
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    for x in re.findall(r'<text class="sentence" x="([\d.]+)"', svg):
        assert float(x) == 52


def test_the_command_line_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "poster.pdf"
    main(["diff", "demo:base", "demo:tuned", "--quiet", "--no-cache", "--output", str(path)])
    assert path.read_bytes().startswith(b"%PDF")
