"""The heatmap as SVG: on a page, in a file, at any size.

Each cell is a group with ``data-cell``, its reading's position, in a group of the role ``row``; a
block of layers that one side alone has carries a position beyond the readings. What stands over
the columns is a group ``head``, so that a page can keep it in view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from modeldiff.drawings.heatmap.colour_scales import Ramp
from modeldiff.drawings.heatmap.faces import STEPS, digits_with_room
from modeldiff.drawings.heatmap.options import PAGE, HeatmapSize
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.cell_groups import CellGroups
from modeldiff.drawings.heatmap.svg.cell_tags import TOUCHING, CellTags
from modeldiff.drawings.heatmap.svg.headings import header_room, headings, label_room
from modeldiff.drawings.heatmap.svg.layout import CellBox, HeatmapLayout, place_lines
from modeldiff.drawings.heatmap.svg.legend import (
    MARK_STEPS,
    gradients,
    legend_of_marks,
    legend_of_scales,
)
from modeldiff.drawings.heatmap.svg.margins import margins
from modeldiff.drawings.heatmap.svg.paint import (
    PAGE_PAINT,
    Paint,
    file_paint,
    step_rules,
    style_rules,
)
from modeldiff.drawings.style.palette import FILE_FONT, Palette
from modeldiff.drawings.style.svg import escape
from modeldiff.processes.late_dataclass import dataclass

PADDING = 16.0
"""The margin round a file's drawing, in pixels."""
_LEAST_LEGEND, _OWN_LEGEND = 420.0, 640.0
"""A legend is as wide as the layers, unless these are narrower than it needs."""


def heatmap_svg(
    heatmap: Heatmap,
    size: HeatmapSize = PAGE,
    *,
    palette: Palette | None = None,
    selected: int | None = None,
) -> str:
    """The drawing.

    Args:
        heatmap: what is drawn.
        size: how large, and which way round.
        palette: the colours of a file; None for a page of the app, whose theme gives them.
        selected: the position of a reading that is outlined; a page does that by itself.
    """
    paint = PAGE_PAINT if palette is None else file_paint(palette)
    groups = CellGroups(described=palette is not None)
    drawing = _Drawing(heatmap, size, paint, groups)
    if palette is None:
        return drawing.svg()
    return drawing.file(palette, selected)


def report_svg(heatmap: Heatmap, size: HeatmapSize, groups: CellGroups, paint: Paint) -> str:
    """The drawing for a report: its cells lead to rows of a table, and the page has the fonts and
    what ``definitions`` returns."""
    return _Drawing(heatmap, size, paint, groups).svg(defined=False)


def definitions(paint: Paint) -> tuple[str, str]:
    """The rules of CSS and the SVG definitions for any number of drawings on one page."""
    steps = [(ramp, step) for ramp in get_args(Ramp) for step in range(STEPS + 1)]
    return style_rules(paint) + step_rules(steps, paint), gradients(paint)


def block_position(heatmap: Heatmap, number: int) -> int:
    """The position of a block of layers, beyond the readings."""
    return len(heatmap.readings) + number


@dataclass(frozen=True)
class _Content:
    """A drawing's tags between its ends, its size, and where everything stands."""

    tags: str
    width: float
    height: float
    layout: HeatmapLayout
    head: tuple[float, float]


class _Drawing:
    """One heatmap at one size."""

    def __init__(
        self, heatmap: Heatmap, size: HeatmapSize, paint: Paint, groups: CellGroups
    ) -> None:
        self._heatmap, self._size, self._paint = heatmap, size, paint
        self._groups = groups

    def svg(self, *, defined: bool = True) -> str:
        """For a page: nothing but the drawing, which takes the font of where it stands; and with
        ``defined`` what it is painted with."""
        content = self._content()
        width, height = round(content.width), round(content.height)
        start, end = content.head
        return (
            f'<svg class="heatmap" xmlns="http://www.w3.org/2000/svg" width="{width}"'
            f' height="{height}" viewBox="0 0 {width} {height}" font-size="{self._size.font:g}"'
            f' data-head="{start:.1f} {end:.1f}" {self._role()}>'
            f"{self._definitions() if defined else ''}{content.tags}</svg>"
        )

    def file(self, palette: Palette, selected: int | None) -> str:
        """For a file: on the palette's ground, with a margin."""
        content = self._content()
        width, height = content.width + 2 * PADDING, content.height + 2 * PADDING
        outline = self._outline(content.layout, selected)
        return (
            f'<svg class="heatmap" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}"'
            f' height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
            f' font-family="{escape(FILE_FONT)}" font-size="{self._size.font:g}" {self._role()}>'
            f"{self._definitions()}"
            f'<rect class="ground" width="100%" height="100%" fill="{palette.surface}"/>'
            f'<g transform="translate({PADDING:g} {PADDING:g})">{content.tags}{outline}</g></svg>'
        )

    def _role(self) -> str:
        return f'role="grid" aria-label="{escape(self._heatmap.alt)}" aria-readonly="true"'

    def _definitions(self) -> str:
        """Rules and definitions: of the colours that occur, and no others."""
        heatmap = self._heatmap
        usual = [
            (heatmap.scales.ramp(name), int(face.css[1:]))
            for name, face in zip(heatmap.scales.names, heatmap.faces, strict=True)
            if face is not None and face.css[1:].isdigit()
        ]
        matrices = [step for step in usual if step[0] == "heat"] or usual
        steps = set(usual) | (set(MARK_STEPS) if heatmap.marks else set())
        rules = style_rules(self._paint) + step_rules(steps, self._paint, matrices)
        return f"<style>{rules}</style><defs>{gradients(self._paint)}</defs>"

    def _content(self) -> _Content:
        heatmap, size = self._heatmap, self._size
        lines, reaches = heatmap.lines, heatmap.scales.reaches()
        labels = label_room(lines, size, reaches)
        about = (size.width - labels) / max(len(lines.components), 1) - 2
        header = header_room(lines, size, about, reaches)
        legend, top = "", 0.0
        if size.legend_first:
            legend, top = self._legend_first()
        layout = place_lines(lines, size, top=top, header=header, labels=labels)
        over, beside = headings(lines, layout, size, heatmap.readings, reaches)
        body, under = self._body(layout)
        head = (layout.grid.y - header, layout.grid.y)
        # Cells that touch let no ground shine through; lines between cells are even.
        column = layout.grid.width / max(len(lines.layers if size.across else lines.components), 1)
        sharp = "" if column > TOUCHING else ' shape-rendering="crispEdges"'
        tags = (
            f'<g class="legend" aria-hidden="true">{legend}</g>'
            f'<g class="head" aria-hidden="true">{over}</g>'
            f'<g aria-hidden="true">{beside}{under}</g>'
            f"<g{sharp}>{body}</g>"
        )
        right, bottom = max(layout.right, 1.0), layout.bottom
        if not size.legend_first:
            more, right, bottom = self._legend_below(layout)
            tags += f'<g class="legend" aria-hidden="true">{more}</g>'
        else:
            right = size.width
        return _Content(tags, right, bottom + 2, layout, head)

    def _body(self, layout: HeatmapLayout) -> tuple[str, str]:
        """All cells, row by row, and the headings of the margins."""
        heatmap, size, lines = self._heatmap, self._size, self._heatmap.lines
        spans = layout.layers if size.across else layout.components
        column = min((end - start for start, end in spans), default=0.0)
        cross = layout.components if size.across else layout.layers
        high = min((end - start for start, end in cross), default=0.0)
        digits = digits_with_room(heatmap.readings, heatmap.metric, size, column, high)
        cells = CellTags(heatmap.metric, size, digits, self._groups, heatmap.scales.reaches())
        tags: dict[int, str] = {}
        for at, (reading, face) in enumerate(zip(heatmap.readings, heatmap.faces, strict=True)):
            box = layout.boxes.get(at)
            if box is None or face is None:
                continue
            if reading.cell.region == "grid":
                tags[at] = cells.inside(at, reading, face, box)
            else:
                named = not layout.at_sides
                tags[at] = cells.outside(at, reading, face, box, named=named)
        under = ""
        for at, tag in margins(
            lines, layout, size, heatmap.readings, heatmap.metric, groups=self._groups
        ):
            if at < 0:
                under += tag
            else:
                tags[at] = tag
        for number, (block, box) in enumerate(zip(lines.blocks, layout.blocks, strict=True)):
            at = block_position(heatmap, number)
            tags[at] = cells.block(at, block, box)
        return "".join(self._rows(tags, layout)), under

    def _rows(self, tags: dict[int, str], layout: HeatmapLayout) -> Iterator[str]:
        """The tags in rows, as a screen reader goes through them."""
        lines = self._heatmap.lines
        yield _row(tags, lines.before)
        if self._size.across:
            keys = [(line.column, line.expert) for line in lines.components]
            for key in keys:
                row = [lines.cells.get((line.layer, key), -1) for line in lines.layers]
                yield _row(tags, [*row, lines.cells.get((None, key), -1)])
            yield _row(tags, [lines.cells.get((line.layer, None), -1) for line in lines.layers])
        else:
            keys = [(line.column, line.expert) for line in lines.components]
            for line in lines.layers:
                row = [lines.cells.get((line.layer, key), -1) for key in keys]
                yield _row(tags, [*row, lines.cells.get((line.layer, None), -1)])
            yield _row(tags, [lines.cells.get((None, key), -1) for key in keys])
        first = len(self._heatmap.readings)
        yield _row(tags, range(first, first + len(lines.blocks)))
        yield _row(tags, lines.after)

    def _legend_first(self) -> tuple[str, float]:
        heatmap, size = self._heatmap, self._size
        if not any(one.value is not None for one in heatmap.readings):
            scales, high = "", 0.0
        else:
            scales, high = legend_of_scales(
                heatmap.scales, heatmap.metric, 0.0, 0.0, size.width, size.font
            )
        marks, more = legend_of_marks(
            heatmap.marks, heatmap.metric, 0.0, high + 8, size.width, size.font
        )
        return scales + marks, high + (more + 16 if marks else 8)

    def _legend_below(self, layout: HeatmapLayout) -> tuple[str, float, float]:
        """The legend, and where it and the cells end to the right and at the bottom."""
        heatmap, font = self._heatmap, self._size.font
        x, width = layout.grid.x, layout.grid.width
        if width < _LEAST_LEGEND:
            x, width = 0.0, min(_OWN_LEGEND, self._size.width)
        y, tags = layout.bottom + 12, ""
        if any(one.value is not None for one in heatmap.readings):
            tags, high = legend_of_scales(heatmap.scales, heatmap.metric, x, y, width, font)
            y += high + 10
        right = max(layout.right, x + width)
        marks, high = legend_of_marks(heatmap.marks, heatmap.metric, x, y, right - x, font)
        return tags + marks, right, y + high if marks else y - 8

    def _outline(self, layout: HeatmapLayout, selected: int | None) -> str:
        box = None if selected is None else layout.boxes.get(selected)
        if box is None:
            return ""
        return _ring("halo", box) + _ring("ring", box)


def _ring(css: str, box: CellBox) -> str:
    return (
        f'<rect class="{css}" x="{box.x - 1:.1f}" y="{box.y - 1:.1f}" width="{box.width + 2:.1f}"'
        f' height="{box.height + 2:.1f}" rx="2"/>'
    )


def _row(tags: dict[int, str], positions: Sequence[int]) -> str:
    cells = "".join(tags[at] for at in positions if at in tags)
    return f'<g role="row">{cells}</g>' if cells else ""
