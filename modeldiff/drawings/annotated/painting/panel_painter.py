"""Painting a sublayer: its panel, the boxes in it, and the ways from the stream and back."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.annotated.composition import TITLE, PanelPart, Plane, title_words
from modeldiff.drawings.annotated.painting.sheet import Sheet, frame_tag
from modeldiff.drawings.annotated.painting.tile_painter import TilePainter
from modeldiff.drawings.annotated.panel import Placed
from modeldiff.drawings.annotated.tiles import TEXT
from modeldiff.drawings.diagram.layout.block import Polyline
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.drawings.style.svg import text_tag
from modeldiff.processes.late_dataclass import dataclass

_RIM = 10.0
_SUM = 11.0
"""The radius of a sum's circle."""


@dataclass(frozen=True)
class PanelPainter:
    """Paints sublayers on a ``sheet``. ``sharing`` is what heads share, ``stream`` what the stream
    is, both in words."""

    sheet: Sheet
    tiles: TilePainter
    sharing: str
    stream: str

    def paint(self, part: PanelPart, plane: Plane, start: float, tap: float | None) -> float:
        """A panel from ``start`` along; return where it taps the stream. ``tap``: it reads what
        another read there."""
        panel = part.panel
        x, y, width, height = plane.box(
            start, start + part.length(plane.across), -8, panel.breadth + 8
        )
        self.sheet.back.append(frame_tag("panel", x, y, width, height, 6))
        self._title(part, x, y, width, inside=not plane.across)
        offset = start + _RIM + (0.0 if plane.across else TITLE)

        def moved(line: Polyline) -> Polyline:
            return tuple((along + offset, over) for along, over in line)

        for box in panel.boxes:
            place = plane.box(box.start + offset, box.end + offset, box.low, box.high)
            self.sheet.front.append(self.tiles.tile(box.tile, *place))
        for line in panel.lines:
            self.sheet.line(plane, moved(line))
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
                self.sheet.front.append(
                    text_tag(words, "along", round(at[0], 1), round(at[1] - 9, 1))
                )
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
            self.sheet.line(plane, way)
        return tap if tap is not None else middle

    def _leave(self, part: PanelPart, plane: Plane, offset: float, near: float) -> None:
        """The ways from the last boxes to the stream, to which they are added."""
        panel = part.panel
        for line in panel.exits:
            source = panel.box_at(line[0])
            if source is not None and len(panel.exits) == 1 and _reaches(source, near):
                at = (source.start + source.end) / 2 + offset
                way: Polyline = ((at, near), (at, plane.stream))
            else:
                at = panel.length + offset + 3
                way = ((line[0][0] + offset, line[0][1]), (at, line[0][1]), (at, plane.stream))
            toward = -_SUM if plane.stream > near else _SUM
            self.sheet.line(plane, (*way[:-1], (at, plane.stream + toward)))
            self.sheet.sum(plane, at, _SUM)

    def _title(self, part: PanelPart, x: float, y: float, width: float, *, inside: bool) -> None:
        name = part.tiles.sublayer.name
        if part.frame.kind.parallel and not part.first:
            name += ", beside it"
        baseline = round(y + 17 if inside else y - 6, 1)
        left, right = x + (8 if inside else 2), x + width - (8 if inside else 2)
        if SEMIBOLD.width(name, TEXT + 1) > width - 4:
            name = name.replace("Attention", "Attn")
        name = SEMIBOLD.shorten(name, width - 4, TEXT + 1)
        used = SEMIBOLD.width(name, TEXT + 1)
        self.sheet.front.append(
            text_tag(name, f"title {part.tiles.group}-title", round(left, 1), baseline)
        )
        words = title_words(part, self.sharing, right - left - used - 14)
        if words:
            self.sheet.front.append(text_tag(words, "aside", round(right, 1), baseline, "end"))

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
        self.sheet.front.append(f'<path class="sharing" d="{"".join(ways)}"/>')


def _reaches(box: Placed, near: float) -> bool:
    """Whether nothing is between a box and the stream."""
    return box.low <= near + 1 and box.high >= near - 1
