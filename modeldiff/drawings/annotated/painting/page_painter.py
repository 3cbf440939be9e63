"""Painting bands: the stream, the frames, and what stands before and after the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import zip_longest

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
)
from modeldiff.drawings.annotated.painting.panel_painter import PanelPainter
from modeldiff.drawings.annotated.painting.sheet import Sheet, frame_tag
from modeldiff.drawings.annotated.painting.tile_painter import TilePainter
from modeldiff.drawings.annotated.tiles import TEXT, Tile
from modeldiff.drawings.style.fonts import REGULAR
from modeldiff.drawings.style.svg import text_tag
from modeldiff.processes.late_dataclass import dataclass

_BETWEEN = 16.0
_BANDS_APART = 34.0
"""Room for the stream between two bands."""


@dataclass(frozen=True)
class PagePainter:
    """Paints bands one below the other. ``sharing`` is what heads share, ``stream`` what the stream
    is, both in words."""

    tiles: TilePainter
    sharing: str
    stream: str
    sheet: Sheet = field(default_factory=Sheet)

    def paint(self, bands: Sequence[Band], width: float, *, across: bool) -> tuple[str, float]:
        """The bands, ``width`` pixels wide, and how high they are."""
        y = 0.0
        before: tuple[float, float] | None = None
        for band, after in zip_longest(bands, bands[1:]):
            leads_on = after is not None and after.goes_on
            if across:
                breadth = breadth_of(band)
                x = LED_ON if len(bands) > 1 else (width - band.length(True)) / 2
                plane = Plane(True, x, y + TITLE + 2, breadth)
                if before and band.goes_on:
                    self._lead_on(before, plane, y - _BANDS_APART / 2, width)
                end = self._band(place_panels(band, breadth), plane, leads_on=leads_on)
                before = plane.point(end, plane.stream)
                y = plane.y + plane.stream + 22 + _BANDS_APART
            else:
                plane = Plane(False, 44, y, width - STREAM_ASIDE)
                placed = place_panels(band, plane.breadth)
                y += self._band(placed, plane, leads_on=leads_on) + _BETWEEN
        y -= _BANDS_APART if across else _BETWEEN
        return self.sheet.svg(), y

    def _band(self, band: Band, plane: Plane, *, leads_on: bool) -> float:
        """All of a band, from which the stream ``leads_on`` to the next or not; return where it
        ends along."""
        at, begun, frame_start, tap = 0.0, False, 0.0, 0.0
        panels = PanelPainter(self.sheet, self.tiles, self.sharing, self.stream)
        for number, part in enumerate(band.parts):
            length = part.length(plane.across)
            if isinstance(part, ColumnPart):
                after = band.parts[number + 1] if number + 1 < len(band.parts) else None
                self._column(part, plane, at, at + length)
                if after is not None or leads_on:
                    self._add_tables(part, after, plane, at + length)
                if begun or number:
                    self.sheet.stream(plane, at - _BETWEEN, at)
                begun = True
            else:
                if part.first or number == 0:
                    frame_start = at
                self.sheet.stream(plane, at - (_BETWEEN if begun else 14.0), at + length)
                parallel = part.frame.kind.parallel and not part.first
                tap = panels.paint(part, plane, at, tap if parallel else None)
                begun = True
                if part.last or number == len(band.parts) - 1:
                    self._frame(plane, frame_start, at + length)
            at += length + _BETWEEN
        end = at - _BETWEEN
        if band.parts and isinstance(band.parts[-1], PanelPart):
            self.sheet.stream(plane, end, end + 14.0)
        return end

    def _lead_on(self, before: tuple[float, float], plane: Plane, y: float, width: float) -> None:
        """Lead the stream from the end of a band, between both, to the beginning of the next."""
        x, low = plane.point(0, plane.stream)
        way = f"M{before[0]:.1f},{before[1]:.1f}H{width - 2.5:.1f}V{y:.1f}H2.5V{low:.1f}H{x:.1f}"
        self.sheet.back.append(f'<path class="stream" d="{way}"/>')

    def _frame(self, plane: Plane, start: float, end: float) -> None:
        low, high = plane.ends
        if plane.across:
            low, high = -TITLE, high + 2
        else:
            high += 4
        x, y, width, height = plane.box(start - 8, end + 8, low, high)
        self.sheet.back.insert(0, frame_tag("layer", x, y, width, height, 9))

    def _column(self, part: ColumnPart, plane: Plane, start: float, end: float) -> None:
        """Tables side by side across; signs and operations stand on the stream itself."""
        low, high = plane.ends
        if part.words:
            words = f"→ {part.words}" if part.last else f"{part.words} →"
            if plane.across:
                x, y = plane.point((start + end) / 2, -8)
                x = max(x, REGULAR.width(words, TEXT) / 2)
                self.sheet.front.append(
                    text_tag(words, "aside", round(x, 1), round(y - 8, 1), "middle")
                )
            else:
                x, y = plane.point(start, low)
                down = words.replace("→", "↓")
                self.sheet.front.append(text_tag(down, "aside", round(x, 1), round(y + 15, 1)))
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
            self.sheet.stream(plane, start, end)
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
                self.sheet.line(plane, ((end, middle), (at, middle), (at, plane.stream + towards)))

    def _tile(
        self, tile: Tile, plane: Plane, start: float, end: float, low: float, high: float
    ) -> None:
        self.sheet.front.append(self.tiles.tile(tile, *plane.box(start, end, low, high)))
