"""The heatmap's cells as SVG: of the grid, outside the layers, and the blocks of layers that one
side alone has. Each carries ``data-cell``, the position of what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modeldiff.drawings.heatmap.faces import Face, short_number
from modeldiff.drawings.heatmap.lines import LayerBlock
from modeldiff.drawings.heatmap.marks import MARKS, label
from modeldiff.drawings.heatmap.names import outside_name, reach_of
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.heatmap.readings import Reading
from modeldiff.drawings.heatmap.svg.cell_groups import CellGroups
from modeldiff.drawings.heatmap.svg.layout import CellBox
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.processes.late_dataclass import dataclass

BASELINE = 0.34
"""Of the font size, from the middle of a line of digits down to where it stands."""
_UNRELATED = 0.9
"""From this share of what unrelated matrices show on, they share nothing that can be seen."""
_SMALL_SIGN = 9.0
"""A narrower cell shows its mark by its ground alone."""
TOUCHING = 18.5
"""Columns up to so wide touch each other."""
_LOW = 9.0


@dataclass(frozen=True)
class CellTags:
    """Writes cells of one metric at one size; ``digits`` are those of the grid's numbers, 0 for
    none; ``groups`` is how they are grouped; ``reaches`` are where scales end that the legend does
    not say."""

    metric: Metric
    size: HeatmapSize
    digits: int
    groups: CellGroups
    reaches: Mapping[str, str]

    def inside(self, at: int, reading: Reading, face: Face, box: CellBox) -> str:
        """A cell of the grid."""
        font = self.size.font
        # No lines between columns so narrow that these would be as loud as the cells.
        across, down = float(box.width > TOUCHING), float(box.height > _LOW)
        x, y = box.x + across / 2, box.y + down / 2
        wide, high = box.width - across, box.height - down
        if "dashed" in face.css:
            x, y, wide, high = x + 0.5, y + 0.5, wide - 1, high - 1
        parts = [_rectangle(x, y, wide, high)]
        words = self._inside_words(reading, face, box)
        if words:
            small = min(font, 1.4 * box.width, box.height)
            size = "" if small >= font else f' font-size="{small:.1f}"'
            strong = ' font-weight="800"' if face.frame else ""
            middle = box.y + box.height / 2 + BASELINE * small
            parts.append(
                f'<text x="{box.x + box.width / 2:.1f}" y="{middle:.1f}" text-anchor="middle"'
                f"{size}{strong}>{words}</text>"
            )
        parts += _marks(face, CellBox(x, y, wide, high))
        return self.groups.group(at, face.css, reading.description, "".join(parts))

    def outside(self, at: int, reading: Reading, face: Face, box: CellBox, *, named: bool) -> str:
        """A cell outside the layers: a column of the grid with its name over it, or, ``named``, a
        bar with its name in it."""
        inner = CellBox(box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1)
        plain = face.css[:1] in "hn" and face.css[1:].isdigit()
        drawn = box if plain else inner
        words = self._in_bar(reading, face, box) if named else self._in_column(reading, face, box)
        tag = _rectangle(*drawn) + words + "".join(_marks(face, drawn))
        css = face.css if plain else f"outside {face.css}"
        return self.groups.group(at, css, reading.description, tag)

    def block(self, at: int, block: LayerBlock, box: CellBox) -> str:
        """Layers that one side alone has: hatched, with words on paper."""
        font = self.size.font
        inner = CellBox(box.x + 2, box.y + 1, max(box.width - 4, 1), max(box.height - 2, 1))
        tag = (
            f'<rect class="block" x="{inner.x:.1f}" y="{inner.y:.1f}" width="{inner.width:.1f}"'
            f' height="{inner.height:.1f}" rx="4" fill="url(#heatmap-hatch)"/>'
        )
        return self.groups.group(at, "", block.description, tag + _block_words(block, inner, font))

    def _inside_words(self, reading: Reading, face: Face, box: CellBox) -> str:
        if face.sign:
            return face.sign if box.width >= _SMALL_SIGN or face.sign not in "=≈" else ""
        if not self.digits or reading.value is None:
            return "▲" if face.above and box.width >= _SMALL_SIGN else ""
        number = escape(short_number(reading.value, self.metric, self.digits))
        if face.above:
            both = f"▲{number}"
            return both if text_width(both, self.size.font) < box.width else "▲"
        return number

    def _number(self, reading: Reading, face: Face, room: float) -> str:
        """The number of a cell outside the layers, with all the digits that have room."""
        if face.sign or reading.value is None:
            return face.sign
        sign = "▲" if face.above else ""
        for digits in (3, 2):
            text = sign + short_number(reading.value, self.metric, digits)
            if text_width(text, self.size.font) <= room:
                return text
        return sign

    def _in_column(self, reading: Reading, face: Face, box: CellBox) -> str:
        font = self.size.font
        x, y = box.x + box.width / 2, box.y + box.height / 2
        words = _words(reading)
        if words:
            return _upright(words, x, y, font)
        tag = text_tag(
            self._number(reading, face, box.width), "value", x, y + BASELINE * font, "middle"
        )
        if self._is_unrelated(reading):
            high = box.height / 2 - 1.2 * font
            if text_width("unrelated", font) < high:
                tag += (
                    f'<text transform="translate({x + BASELINE * font:.1f} {y - 1.2 * font:.1f})'
                    ' rotate(-90)">unrelated</text>'
                )
        return tag

    def _in_bar(self, reading: Reading, face: Face, box: CellBox) -> str:
        font, name = self.size.font, outside_name(reading.cell.column)
        words = _words(reading) or self._number(reading, face, box.width)
        if self._is_unrelated(reading):
            words += " unrelated"
        reach = reach_of(reading.cell.column, reading.cell.part, self.reaches)
        if reach and reading.value is not None and not face.sign:
            words += f" ({reach})"
        room = box.width - 14 - text_width(words, font) - (8 if words else 0)
        if box.height < font or room < 2 * font:
            return ""
        shown = shorten(name, room, font)
        middle = box.y + box.height / 2 + BASELINE * font
        return text_tag(" ".join(filter(None, (shown, words))), "value", box.x + 8, middle)

    def _is_unrelated(self, reading: Reading) -> bool:
        ceiling = self.metric.ceiling
        return (
            ceiling is not None
            and reading.value is not None
            and reading.cell.kind == "matrices"
            and reading.value >= _UNRELATED * ceiling
        )


def _words(reading: Reading) -> str:
    """What a cell outside the layers says in words, where there is room for them."""
    if reading.mark == label("tied"):
        return "tied to embed" if reading.cell.column == "lm_head" else "tied"
    mark = MARKS.get(reading.mark)
    return mark.meaning if mark is not None and mark.ground == "dashed" else ""


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    # From edge to edge, so that of two cells that touch one ends where the other begins.
    left, top = round(x, 1), round(y, 1)
    wide, high = round(x + max(width, 0.5), 1) - left, round(y + max(height, 0.5), 1) - top
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'


def _marks(face: Face, box: CellBox) -> Sequence[str]:
    """The frame of what is not finite, and the corner of what was compared in part."""
    tags = []
    if face.frame and box.width > 6:
        x, y, right, bottom = box.x + 1.5, box.y + 1.5, box.width - 3, box.height - 3
        # A ring, so that it has the ink of what is written in the cell.
        tags.append(
            f'<path fill-rule="evenodd" d="M{x:.1f} {y:.1f}h{right:.1f}v{bottom:.1f}h{-right:.1f}z'
            f'm2 2v{bottom - 4:.1f}h{right - 4:.1f}v{4 - bottom:.1f}z"/>'
        )
    if face.corner:
        side = max(5.0, min(9.0, 0.3 * box.width))
        x = box.x + box.width - side
        tags.append(f'<path d="M{x:.1f} {box.y:.1f}h{side:.1f}v{side:.1f}z"/>')
    return tags


def _upright(words: str, x: float, y: float, font: float) -> str:
    return (
        f'<text text-anchor="middle" transform="translate({x + BASELINE * font:.1f} {y:.1f})'
        f' rotate(-90)">{escape(words)}</text>'
    )


def _block_words(block: LayerBlock, box: CellBox, font: float) -> str:
    """The words of a block: beneath each other, in a line, or upright, as there is room."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    both = f"{block.layers} {block.words}"
    wide = max(text_width(block.words, font + 1, bold=True), text_width(block.layers, font)) + 16
    if wide <= box.width and box.height >= 4 * font:
        return (
            f'<rect class="ground" x="{x - wide / 2:.1f}" y="{y - 1.9 * font:.1f}"'
            f' width="{wide:.1f}" height="{3.9 * font:.1f}" rx="4"/>'
            f'<text class="strong" x="{x:.1f}" y="{y - 0.35 * font:.1f}" text-anchor="middle">'
            f"{block.words}</text>"
            f'<text class="muted" x="{x:.1f}" y="{y + 1.1 * font:.1f}" text-anchor="middle">'
            f"{block.layers}</text>"
        )
    wide = text_width(both, font, bold=True) + 12
    if wide <= box.width and box.height >= 1.2 * font:
        high = min(1.6 * font, box.height - 2)
        return (
            f'<rect class="ground" x="{x - wide / 2:.1f}" y="{y - high / 2:.1f}"'
            f' width="{wide:.1f}" height="{high:.1f}" rx="3"/>'
            + text_tag(both, "strong", x, y + BASELINE * font, "middle")
        )
    if wide <= box.height and box.width >= font + 2:
        across = min(1.6 * font, box.width - 2)
        return (
            f'<rect class="ground" x="{x - across / 2:.1f}" y="{y - wide / 2:.1f}"'
            f' width="{across:.1f}" height="{wide:.1f}" rx="3"/>{_upright(both, x, y, font)}'
        )
    return text_tag(block.sign, "strong", x, y + BASELINE * font, "middle")
