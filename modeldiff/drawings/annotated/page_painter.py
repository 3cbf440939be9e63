"""Painting bands: the stream, the frames, the lines between boxes, and what is written at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modeldiff.drawings.annotated.composition import (
    LED_ON,
    STREAM_ASIDE,
    TITLE,
    Band,
    ColumnPart,
    PanelPart,
    Plane,
    breadth_of,
    place_panels,
    title_words,
)
from modeldiff.drawings.annotated.panel import Placed
from modeldiff.drawings.annotated.tile_painter import TilePainter
from modeldiff.drawings.annotated.tiles import TEXT, Tile
from modeldiff.drawings.diagram.layout.block import Polyline
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.drawings.style.svg import escape, rectangle, text_tag

_RIM, _BETWEEN = 10.0, 16.0
_CORNER = 5.0
_BANDS_APART = 34.0
"""Room for the stream between two bands."""
ARROW = (
    '<marker id="annotated-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
    ' markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
    '<path class="arrow-head" d="M0 0.5L8 4L0 7.5z"/></marker>'
)


@dataclass
class PagePainter:
    """Paints bands one below the other. ``sharing`` is what heads share, ``stream`` what the stream
    is, both in words."""

    tiles: TilePainter
    sharing: str
    stream: str
    back: list[str] = field(default_factory=list)
    middle: list[str] = field(default_factory=list)
    front: list[str] = field(default_factory=list)

    def paint(self, bands: Sequence[Band], width: float, *, across: bool) -> tuple[str, float]:
        """The bands, ``width`` pixels wide, and how high they are."""
        y = 0.0
        before: tuple[float, float] | None = None
        for band in bands:
            if across:
                breadth = breadth_of(band)
                x = LED_ON if len(bands) > 1 else (width - band.length(True)) / 2
                plane = Plane(True, x, y + TITLE + 2, breadth)
                if before and band.goes_on:
                    self._lead_on(before, plane, y - _BANDS_APART / 2, width)
                end = self._band(place_panels(band, breadth), plane)
                before = plane.point(end, plane.stream)
                y = plane.y + plane.stream + 22 + _BANDS_APART
            else:
                plane = Plane(False, 44, y, width - STREAM_ASIDE)
                y += self._band(place_panels(band, plane.breadth), plane) + _BETWEEN
        y -= _BANDS_APART if across else _BETWEEN
        return "".join((*self.back, *self.middle, *self.front)), y

    def _band(self, band: Band, plane: Plane) -> float:
        """All of a band; return where it ends along."""
        at, begun, frame_start, tap = 0.0, False, 0.0, 0.0
        for number, part in enumerate(band.parts):
            length = part.length(plane.across)
            if isinstance(part, ColumnPart):
                after = band.parts[number + 1] if number + 1 < len(band.parts) else None
                self._column(part, plane, at, at + length)
                self._add_tables(part, after, plane, at + length)
                if begun or number:
                    self._stream(plane, at - _BETWEEN, at)
                begun = True
            else:
                if part.first or number == 0:
                    frame_start = at
                self._stream(plane, at - (_BETWEEN if begun else 14.0), at + length)
                parallel = part.frame.kind.parallel and not part.first
                tap = self._panel(part, plane, at, tap if parallel else None)
                begun = True
                if part.last or number == len(band.parts) - 1:
                    self._frame(plane, frame_start, at + length)
            at += length + _BETWEEN
        end = at - _BETWEEN
        if band.parts and isinstance(band.parts[-1], PanelPart):
            self._stream(plane, end, end + 14.0)
        return end

    def _lead_on(self, before: tuple[float, float], plane: Plane, y: float, width: float) -> None:
        """Lead the stream from the end of a band, between both, to the beginning of the next."""
        x, low = plane.point(0, plane.stream)
        way = f"M{before[0]:.1f},{before[1]:.1f}H{width - 2.5:.1f}V{y:.1f}H2.5V{low:.1f}H{x:.1f}"
        self.back.append(f'<path class="stream" d="{way}"/>')

    def _stream(self, plane: Plane, start: float, end: float) -> None:
        a, b = plane.point(start, plane.stream), plane.point(end, plane.stream)
        self.back.append(f'<path class="stream" d="M{a[0]:.1f},{a[1]:.1f}L{b[0]:.1f},{b[1]:.1f}"/>')

    def _frame(self, plane: Plane, start: float, end: float) -> None:
        low, high = plane.ends
        if plane.across:
            low, high = -TITLE, high + 2
        else:
            high += 4
        x, y, width, height = plane.box(start - 8, end + 8, low, high)
        self.back.insert(0, _rectangle("layer", x, y, width, height, 9))

    def _column(self, part: ColumnPart, plane: Plane, start: float, end: float) -> None:
        """Tables side by side across; signs and operations stand on the stream itself."""
        low, high = plane.ends
        if part.words:
            words = f"→ {part.words}" if part.last else f"{part.words} →"
            if plane.across:
                x, y = plane.point((start + end) / 2, -8)
                x = max(x, REGULAR.width(words, TEXT) / 2)
                self.front.append(text_tag(words, "aside", round(x, 1), round(y - 8, 1), "middle"))
            else:
                x, y = plane.point(start, low)
                down = words.replace("→", "↓")
                self.front.append(text_tag(down, "aside", round(x, 1), round(y + 15, 1)))
                start += TITLE - 6
        tables = [tile for tile in part.tiles if tile.form not in ("operation", "symbol")]
        signs = [tile for tile in part.tiles if tile.form in ("operation", "symbol")]
        each = (high - low + 10) / max(len(tables), 1)
        for number, tile in enumerate(tables):
            self._tile(tile, plane, start, end, low + number * each, low + (number + 1) * each - 10)
        for tile in signs:
            half = (tile.height if plane.across else tile.width) / 2
            middle = plane.stream if plane.across else max(plane.stream, low + half)
            length = tile.width if plane.across else tile.height
            first = (start + end - length) / 2
            self._stream(plane, start, end)
            self._tile(tile, plane, first, first + length, middle - half, middle + half)

    def _add_tables(self, part: ColumnPart, after: object, plane: Plane, end: float) -> None:
        """Lead what other tables than the last give to the stream: into the sign that adds it."""
        tables = [tile for tile in part.tiles if tile.form not in ("operation", "symbol")]
        if len(tables) < 2:
            return
        low, high = plane.ends
        each = (high - low + 10) / len(tables)
        sign = isinstance(after, ColumnPart) and after.tiles[0].form == "symbol"
        at = end + _BETWEEN + 12 if sign else end + _BETWEEN / 2
        towards = (-12 if sign else 0) * (1 if plane.across else -1)
        for number in range(len(tables)):
            top = low + number * each
            if not top <= plane.stream <= top + each - 10:
                middle = top + each / 2 - 5
                self._line(plane, ((end, middle), (at, middle), (at, plane.stream + towards)))

    def _tile(
        self, tile: Tile, plane: Plane, start: float, end: float, low: float, high: float
    ) -> None:
        self.front.append(self.tiles.tile(tile, *plane.box(start, end, low, high)))

    def _panel(self, part: PanelPart, plane: Plane, start: float, tap: float | None) -> float:
        """A panel from ``start`` along; return where it taps the stream. ``tap``: it reads what
        another read there."""
        panel = part.panel
        x, y, width, height = plane.box(
            start, start + part.length(plane.across), -8, panel.breadth + 8
        )
        self.back.append(_rectangle("panel", x, y, width, height, 6))
        self._title(part, x, y, width, inside=not plane.across)
        offset = start + _RIM + (0.0 if plane.across else TITLE)

        def moved(line: Polyline) -> Polyline:
            return tuple((along + offset, over) for along, over in line)

        for box in panel.boxes:
            self._tile(box.tile, plane, box.start + offset, box.end + offset, box.low, box.high)
        for line in panel.lines:
            self._line(plane, moved(line))
        if plane.across:
            self._share_heads(panel.boxes, plane, offset)
        if not part.tiles.sublayer.adds:
            return offset
        near = panel.breadth if plane.across else 0.0
        first = self._enter(part, plane, offset, near, tap)
        self._leave(part, plane, offset, near)
        if part.first and plane.across:
            words = self.stream if part.frame.main else "residual stream"
            at = plane.point(first + 12, plane.stream)
            if REGULAR.width(words, TEXT) < panel.length - 70:
                self.front.append(text_tag(words, "along", round(at[0], 1), round(at[1] - 9, 1)))
        return first

    def _enter(
        self, part: PanelPart, plane: Plane, offset: float, near: float, tap: float | None
    ) -> float:
        """The ways from the stream to the boxes that read it."""
        panel = part.panel
        targets = [panel.box_at(line[-1]) for line in panel.entries]
        only = targets[0] if len(targets) == 1 else None
        if only is not None and _reaches(only, near):
            middle = (only.start + only.end) / 2 + offset
            ways: list[Polyline] = [((middle, plane.stream), (middle, near))]
        else:
            middle = offset - 3
            ways = [
                (
                    (middle, plane.stream),
                    (middle, line[0][1]),
                    *tuple((along + offset, over) for along, over in line),
                )
                for line in panel.entries
            ]
        if tap is not None:
            aside = plane.stream + (-16 if plane.across else 10)
            ways = [((tap, plane.stream), (tap, aside), (middle, aside), *way[1:]) for way in ways]
        for way in ways:
            self._line(plane, way)
        return tap if tap is not None else middle

    def _leave(self, part: PanelPart, plane: Plane, offset: float, near: float) -> None:
        """The ways from the last boxes to the stream, to which they are added."""
        panel = part.panel
        radius = 11.0
        for line in panel.exits:
            source = panel.box_at(line[0])
            if source is not None and len(panel.exits) == 1 and _reaches(source, near):
                at = (source.start + source.end) / 2 + offset
                way: Polyline = ((at, near), (at, plane.stream))
            else:
                at = panel.length + offset + 3
                way = ((line[0][0] + offset, line[0][1]), (at, line[0][1]), (at, plane.stream))
            toward = -radius if plane.stream > near else radius
            self._line(plane, (*way[:-1], (at, plane.stream + toward)))
            x, y = plane.point(at, plane.stream)
            self.middle.append(
                f'<circle class="sum" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
                f'<path class="plus" d="M{x - 5:.1f},{y:.1f}h10M{x:.1f},{y - 5:.1f}v10"/>'
            )

    def _title(self, part: PanelPart, x: float, y: float, width: float, *, inside: bool) -> None:
        name = part.tiles.sublayer.name
        if part.frame.kind.parallel and not part.first:
            name += ", beside it"
        baseline = round(y + 17 if inside else y - 6, 1)
        left, right = x + (8 if inside else 2), x + width - (8 if inside else 2)
        name = SEMIBOLD.shorten(name, width - 10, TEXT)
        used = SEMIBOLD.width(name, TEXT + 1)
        self.front.append(
            text_tag(name, f"title {part.tiles.group}-title", round(left, 1), baseline)
        )
        words = title_words(part, self.sharing, right - left - used - 14)
        if words:
            self.front.append(text_tag(words, "aside", round(right, 1), baseline, "end"))

    def _share_heads(self, boxes: Sequence[Placed], plane: Plane, offset: float) -> None:
        """From each group of query heads a bracket and a line to the key head that it shares."""
        roles = {box.tile.heads.role: box for box in boxes if box.tile.heads is not None}
        query, key = roles.get("query"), roles.get("key")
        if query is None or key is None or query.tile.heads is None:
            return
        if not 0 <= key.low - query.high <= 24 or query.start != key.start:
            return
        x, y = plane.point(query.start + offset, query.high - 8)
        _, low = plane.point(0, key.low + 8)
        ways = []
        width = query.end - query.start - 18
        for middle, half in query.tile.heads.middles(x + 9, width):
            if query.tile.heads.each > 1:
                ways.append(f"M{middle - half:.1f},{y:.1f}v4h{2 * half:.1f}v-4")
                ways.append(f"M{middle:.1f},{y + 4:.1f}V{low:.1f}")
            else:
                ways.append(f"M{middle:.1f},{y:.1f}V{low:.1f}")
        self.front.append(f'<path class="sharing" d="{"".join(ways)}"/>')

    def _line(self, plane: Plane, line: Polyline) -> None:
        """A line with round corners and a head where it ends."""
        points = [plane.point(*point) for point in line]
        points = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
        if len(points) < 2:
            return
        path = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
        for before, here, after in zip(points, points[1:], points[2:], strict=False):
            (x, y), (x2, y2) = _towards(here, before), _towards(here, after)
            path.append(f"L{x:.1f},{y:.1f}Q{here[0]:.1f},{here[1]:.1f} {x2:.1f},{y2:.1f}")
        path.append(f"L{points[-1][0]:.1f},{points[-1][1]:.1f}")
        self.middle.append(
            f'<path class="way" d="{"".join(path)}" marker-end="url(#annotated-arrow)"/>'
        )


def _reaches(box: Placed, near: float) -> bool:
    """Whether nothing is between a box and the stream."""
    return box.low <= near + 1 and box.high >= near - 1


def _towards(point: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    dx, dy = other[0] - point[0], other[1] - point[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return point[0] + dx * share, point[1] + dy * share


def _rectangle(css: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    return rectangle(css, round(x, 1), round(y, 1), width, round(height, 1), radius)


def svg_root(width: float, height: float, label: str, font: str) -> str:
    """The opening tag of a drawing."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="annotated" role="group"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        f' font-family="{escape(font)}" aria-label="{escape(label)}">'
    )
