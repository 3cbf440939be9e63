"""A poster: sentence, heatmap, diagram, facts, on a sheet of A3 or A4."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from modeldiff.comparison import Comparison
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.annotated.colours import Colours
from modeldiff.drawings.annotated.main_kind import with_main_kind
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.output.figure import Figure, figure
from modeldiff.drawings.output.slide import placed
from modeldiff.drawings.poster.heatmap import poster_heatmap
from modeldiff.drawings.poster.words import PosterWords, poster_words
from modeldiff.drawings.style.fonts import HEADING, REGULAR, SANS, SEMIBOLD, SERIF, Font
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import Result
from modeldiff.text.formatting import format_pct

Paper = Literal["A3", "A4"]
PAPERS: dict[Paper, float] = {"A3": 420.0, "A4": 297.0}
"""The widths of the sheets in millimetres; their sides are as 1 to √2."""

WIDTH, HEIGHT = 1587.0, 1122.3
_RIM = 52.0
_NAME, _SENTENCE, _HEADING, _ENTRY, _SMALL = 52.0, 25.0, 24.0, 17.0, 15.0
_COLUMN, _GUTTER = 350.0, 36.0
_MOST_HEATMAP = 530.0
_LEAST_DIAGRAM = 360.0
_HEATMAP_SIZE = HeatmapSize(WIDTH - 2 * _RIM - 32, font=15, rows=390, widest=140)
"""As wide as the sheet less its rim and the drawing's own."""


def poster(result: Result, comparison: Comparison | None, palette: Palette, paper: Paper) -> Figure:
    """The poster of a finished diff in these colours, on this paper. Without the ``comparison``
    (None: a kept result, whose checkpoints were not opened) it has neither diagram nor facts.

    Whole references and fingerprints are in the file's metadata.
    """
    header = result.header
    origin = (
        f"base: {header.base_reference}, {header.base_fingerprint}",
        f"target: {header.target_reference}, {header.target_fingerprint}",
        f"measured on {header.device} by modeldiff {header.version}, {header.created}, "
        f"options: {header.options_text}",
    )
    names = header.names if comparison is None else comparison.names
    diagram = "" if comparison is None else _diagram(result, comparison, names[1], palette)
    svg = poster_svg(
        names,
        poster_words(result, comparison),
        poster_heatmap(result, comparison, palette, _HEATMAP_SIZE),
        diagram,
        palette,
    )
    return figure(svg, PAPERS[paper], f"What changed from {names[0]} to {names[1]}", origin)


def poster_svg(
    names: tuple[str, str], words: PosterWords, heatmap: str, diagram: str, palette: Palette
) -> str:
    """The sheet of ``WIDTH`` by ``HEIGHT`` pixels. ``heatmap`` and ``diagram`` (perhaps empty) are
    SVG elements of any size; ``names`` those of base and target."""
    sheet = _Sheet(palette)
    y = sheet.title(names, words.sentence)
    space = HEIGHT - _RIM - 30 - _LEAST_DIAGRAM - y
    height = min(_drawn_height(heatmap, WIDTH - 2 * _RIM), _MOST_HEATMAP, space)
    sheet.parts.append(placed(heatmap, _RIM, y, WIDTH - 2 * _RIM, height))
    y += height + 42
    left = WIDTH - _RIM - _COLUMN
    bottom = HEIGHT - _RIM - 22
    if diagram:
        sheet.heading(_RIM, y, "Where it sits", "median change of each component over all layers")
        room = left - _GUTTER - _RIM
        sheet.parts.append(placed(diagram, _RIM, y + 14, room, bottom - y - 14))
    sheet.heading(left, y, "What differs", "")
    sheet.differences(left, y + 34, bottom, words)
    unrelated = format_pct(METRICS[0].ceiling)
    about = (
        "A number is the median of |change| ÷ |base value| over a tensor’s elements. "
        f"Two unrelated models: {unrelated}."
    )
    sheet.text(about, "small quiet", _RIM, HEIGHT - _RIM + 14)
    sheet.text(words.origin, "small quiet", WIDTH - _RIM, HEIGHT - _RIM + 14, "end")
    return sheet.svg(f"What changed from {names[0]} to {names[1]}")


@dataclass
class _Sheet:
    palette: Palette

    def __post_init__(self) -> None:
        self.parts: list[str] = []

    def text(self, text: str, css: str, x: float, y: float, anchor: str = "start") -> None:
        self.parts.append(text_tag(text, css, round(x, 1), round(y, 1), anchor))

    def title(self, names: tuple[str, str], sentence: str) -> float:
        """Both names, and the sentence in at most two lines; return where they end."""
        arrow = "  →  "
        room = WIDTH - 2 * _RIM
        size = min(_NAME, _NAME * room / HEADING.width(arrow.join(names), _NAME))
        size = max(size, 26.0)
        each = (room - HEADING.width(arrow, size)) / 2
        whole = HEADING.width(arrow.join(names), size) <= room
        base, target = names if whole else (HEADING.shorten(name, each, size) for name in names)
        self.parts.append(
            f'<text class="name" x="{_RIM:g}" y="{_RIM + 44:g}" font-size="{size:.1f}">'
            f'{escape(base)} <tspan font-weight="400">→</tspan> {escape(target)}</text>'
        )
        y = _RIM + 92
        lines = _few(SEMIBOLD, sentence, room, _SENTENCE, 2)
        for line in lines:
            self.text(line, "sentence", _RIM, y)
            y += 1.3 * _SENTENCE
        return y + 4

    def heading(self, x: float, y: float, title: str, about: str) -> None:
        self.text(title, "heading", x, y)
        beside = x + HEADING.width(title, _HEADING) + 22
        if about:
            self.text(about, "small quiet", beside, y)

    def differences(self, x: float, y: float, bottom: float, words: PosterWords) -> None:
        """What differs, then what is the same and what was compared, as far as there is room."""
        room = _COLUMN - 16
        for entry in words.entries:
            value = _few(REGULAR, entry.value, room, _ENTRY, 2)
            meaning = _few(REGULAR, entry.meaning, room, _SMALL, 2)
            height = 22 + 21 * len(value) + 19 * len(meaning)
            if y + height > bottom:
                return
            self.parts.append(
                f'<rect class="{entry.kind}" x="{x:g}" y="{y - 16:.1f}" width="4"'
                f' height="{height - 2:.1f}"/>'
            )
            self.text(entry.label, "entry strong", x + 16, y)
            y += 22
            for line in value:
                self.text(line, "entry", x + 16, y)
                y += 21
            for line in meaning:
                self.text(line, "small quiet", x + 16, y - 1)
                y += 19
            y += 16
        for sign, texts in (("Δ", words.more), ("=", (words.same,)), ("✓", (words.coverage,))):
            lines = _whole(REGULAR, texts, room - 6, _SMALL, 6 if sign == "Δ" else 3)
            if not any(texts) or y + 20 * len(lines) > bottom:
                continue
            self.parts.append(f'<path class="rule" d="M{x:g},{y - 20:.1f}h{_COLUMN:g}"/>')
            self.text(sign, "small strong quiet", x + 2, y)
            for line in lines:
                self.text(line, "small", x + 22, y)
                y += 20
            y += 14

    def svg(self, label: str) -> str:
        p = self.palette
        rules = {
            ".poster-text": f"fill:{p.text}",
            ".name": f"fill:{p.text};font-family:{SERIF};font-weight:600",
            ".heading": f"fill:{p.text};font-family:{SERIF};font-size:{_HEADING:g}px;"
            "font-weight:600",
            ".sentence": f"fill:{p.text};font-size:{_SENTENCE:g}px;font-weight:600",
            ".entry": f"fill:{p.text};font-size:{_ENTRY:g}px",
            ".small": f"fill:{p.text};font-size:{_SMALL:g}px",
            ".quiet": f"fill:{p.muted}",
            ".strong": "font-weight:600",
            ".structure": f"fill:{p.accent}",
            ".weights": f"fill:{Colours(p).ramp(second=False)[5]}",
            ".rule": f"stroke:{p.line};fill:none",
        }
        style = "".join(f".poster>{name}{{{rule}}}" for name, rule in rules.items())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="poster" role="img"'
            f' viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" height="{HEIGHT:g}"'
            f' font-family="{escape(SANS)}" aria-label="{escape(label)}"><style>{style}</style>'
            f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="{p.surface}"/>'
            f"{''.join(self.parts)}</svg>"
        )


def _diagram(result: Result, comparison: Comparison, name: str, palette: Palette) -> str:
    """The target's diagram with the change on it; "" where nobody could read it."""
    architecture = with_main_kind(comparison.target.architecture)
    if why_not_drawn(architecture):
        return ""
    changes = result.changes.seen_from("target")
    return Drawing(architecture, name, METRICS[0], None, changes).layers_svg(palette)


def _drawn_height(svg: str, width: float) -> float:
    """How high an SVG is at this width."""
    box = re.search(r'<svg\b[^>]*?\bviewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    return width * float(box[2]) / float(box[1]) if box else width / 2


def _whole(font: Font, texts: Sequence[str], room: float, size: float, most: int) -> list[str]:
    """As many of the sentences as have room in so many lines; of the first as much as has."""
    for count in range(len(texts), 1, -1):
        lines = font.wrap(" ".join(texts[:count]), room, size)
        if len(lines) <= most:
            return list(lines)
    return _few(font, "".join(texts[:1]), room, size, most)


def _few(font: Font, text: str, room: float, size: float, most: int) -> list[str]:
    """The text in at most so many lines, the last one cut where it is longer."""
    lines = list(font.wrap(text, room, size))
    if len(lines) > most:
        lines[most - 1 :] = [" ".join(lines[most - 1 :])[:400]]
        while font.width(lines[-1] + "…", size) > room and " " in lines[-1]:
            lines[-1] = lines[-1].rpartition(" ")[0]
        lines[-1] += "…"
    return [font.shorten(line, room, size) for line in lines]
