"""What of several layouts belongs at one height: their rows, sublayers and frames, aligned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from modeldiff.architectures.skeleton import ATTENTION, CROSS_ATTENTION, MIXER, MLP
from modeldiff.drawings.alignment import Place, align
from modeldiff.drawings.picture import Box, Layout, Panel

Span = tuple[float, float]

_ROWS = {
    node.id: (graph, number)
    for graph, rows in enumerate((ATTENTION, MIXER, CROSS_ATTENTION, MLP))
    for number, row in enumerate(rows)
    for node in row
}
"""Row of each known component, of the graph that it is in."""


@dataclass(frozen=True)
class Slot:
    """What stands at one height: of each side its upper and lower edge, None where it has nothing.

    ``boxes`` are those of each side; there are none in the edge of a panel, nor where the stream
    starts or ends. ``panels`` are those whose upper edge this is, or that the row is in. ``frame``
    is the same number for all that stands in one frame, 0 outside.
    """

    kind: Literal["row", "edge", "start", "end"]
    spans: tuple[Span | None, ...]
    boxes: tuple[tuple[Box, ...], ...]
    panels: tuple[Panel | None, ...]
    frame: int

    @property
    def ids(self) -> frozenset[str]:
        """The components of all sides."""
        return frozenset(box.card.step.id for boxes in self.boxes for box in boxes)


@dataclass(frozen=True)
class Gap:
    """Where ``side`` has no counterpart: from slot ``first`` to ``last``.

    ``panel`` is what it lacks, None for a row of boxes.
    """

    side: int
    first: int
    last: int
    panel: Panel | None


@dataclass(frozen=True)
class _Part:
    """A panel with what is in it from top to bottom, or (panel None) a row of boxes, or the height
    at which a branch leaves or joins the stream."""

    panel: Panel | None
    boxes: tuple[Box, ...]
    parts: tuple[_Part, ...] = ()
    branch: Literal["", "leaves", "joins"] = ""
    y: float = 0.0

    @property
    def ids(self) -> frozenset[str]:
        own = (box.card.step.id for box in self.boxes)
        return frozenset(own).union(*(part.ids for part in self.parts))

    @property
    def span(self) -> Span:
        if self.panel is not None:
            return self.panel.y, self.panel.y + self.panel.height
        if self.branch:
            return self.y, self.y
        return min(box.y for box in self.boxes), max(box.y + box.height for box in self.boxes)


def slots_of(layouts: Sequence[Layout]) -> tuple[tuple[Slot, ...], tuple[Gap, ...]]:
    """All slots from top to bottom, and the gaps among them."""
    builder = _Builder(len(layouts))
    builder.ends("end", layouts)
    sides = [_parts(layout) for layout in layouts]
    for section in zip(*sides, strict=True):
        builder.add(section, (None,) * len(layouts))
    builder.ends("start", layouts)
    return tuple(builder.slots), tuple(builder.gaps)


class _Builder:
    def __init__(self, sides: int) -> None:
        self.sides = sides
        self.slots: list[Slot] = []
        self.gaps: list[Gap] = []
        self.frame = 0
        self.frames = 0

    def ends(self, kind: Literal["start", "end"], layouts: Sequence[Layout]) -> None:
        """The names of what comes in, below the middle, or goes out, above it."""
        spans: list[Span | None] = []
        for layout in layouts:
            below = kind == "start"
            found = [y for _, y, _ in layout.ends if (y > layout.height / 2) == below]
            spans.append((min(found) - 13, max(found) + 6) if found else None)
        if any(spans):
            self._slot(kind, spans, [()] * self.sides, [None] * self.sides)

    def add(
        self,
        sides: Sequence[Sequence[_Part]],
        within: Sequence[Panel | None],
        *,
        bare: bool = False,
    ) -> None:
        """The slots of parts that stand between the same edges; ``bare``: without gaps."""
        for place in align(sides, _likeness):
            parts = [
                None if at is None else side[at] for side, at in zip(sides, place, strict=True)
            ]
            self._part(place, parts, within, bare)

    def _part(
        self,
        place: Place,
        parts: Sequence[_Part | None],
        within: Sequence[Panel | None],
        bare: bool,
    ) -> None:
        first = len(self.slots)
        present = next(part for part in parts if part is not None)
        missing = [side for side, at in enumerate(place) if at is None]
        if present.branch:
            self._slot(
                "edge",
                [part.span if part else None for part in parts],
                [()] * self.sides,
                [None] * self.sides,
            )
            return
        if present.panel is None:
            spans = [part.span if part else None for part in parts]
            self._slot("row", spans, [part.boxes if part else () for part in parts], within)
        else:
            if present.panel.level == "layer":
                self.frames += 1
                self.frame = self.frames
            panels = [part.panel if part else None for part in parts]
            nothing: list[tuple[Box, ...]] = [()] * self.sides
            tops = [(p.y, p.y) if p else None for p in panels]
            bottoms = [(p.y + p.height, p.y + p.height) if p else None for p in panels]
            self._slot("edge", tops, nothing, panels)
            self.add([part.parts if part else () for part in parts], panels, bare=bool(missing))
            self._slot("edge", bottoms, nothing, [None] * self.sides)
            if present.panel.level == "layer":
                self.frame = 0
        if not bare:
            last = len(self.slots) - 1
            self.gaps += [Gap(side, first, last, present.panel) for side in missing]

    def _slot(
        self,
        kind: Literal["row", "edge", "start", "end"],
        spans: Sequence[Span | None],
        boxes: Sequence[tuple[Box, ...]],
        panels: Sequence[Panel | None],
    ) -> None:
        self.slots.append(Slot(kind, tuple(spans), tuple(boxes), tuple(panels), self.frame))


def _parts(layout: Layout) -> tuple[tuple[_Part, ...], tuple[_Part, ...], tuple[_Part, ...]]:
    """A layout as rows above the frames, the frames, and rows below them, each from the top."""
    outer = sorted((p for p in layout.panels if p.level != "sublayer"), key=lambda p: p.y)
    inner = [p for p in layout.panels if p.level == "sublayer"]
    frames = []
    for frame in outer:
        own = sorted((p for p in inner if _holds(frame, p.y)), key=lambda p: p.y)
        parts = (_Part(panel, (), tuple(_within(layout, panel))) for panel in own)
        frames.append(_Part(frame, (), tuple(parts)))
    free = [box for box in layout.boxes if not any(_holds(frame, box.y) for frame in outer)]
    middle = outer[0].y if outer else layout.height / 2
    above = _rows([box for box in free if box.y < middle])
    below = _rows([box for box in free if box.y >= middle])
    return tuple(above), tuple(frames), tuple(below)


def _within(layout: Layout, panel: Panel) -> Iterator[_Part]:
    """A sublayer from top to bottom: where its branch joins, its rows, where it leaves."""
    for _, y in layout.sums:
        if _holds(panel, y):
            yield _Part(None, (), branch="joins", y=y)
    yield from _rows([box for box in layout.boxes if _holds(panel, box.y)])
    for _, y in layout.taps:
        if _holds(panel, y):
            yield _Part(None, (), branch="leaves", y=y)


def _holds(panel: Panel, y: float) -> bool:
    return panel.y <= y < panel.y + panel.height


def _rows(boxes: Sequence[Box]) -> Iterator[_Part]:
    """Boxes that overlap in height are a row: between rows there is always a gap."""
    row: list[Box] = []
    bottom = 0.0
    for box in sorted(boxes, key=lambda box: box.y):
        if row and box.y > bottom:
            yield _Part(None, tuple(row))
            row = []
        row.append(box)
        bottom = max(bottom, box.y + box.height) if len(row) > 1 else box.y + box.height
    if row:
        yield _Part(None, tuple(row))


def _likeness(one: _Part, other: _Part) -> float:
    """How much two parts are each other's counterparts; 0: not at all."""
    shared = one.ids & other.ids
    if one.panel is None or other.panel is None:
        if one.panel is not other.panel or one.branch != other.branch:
            return 0.0
        if one.branch:
            return 1.0
        known = {_ROWS[id] for id in one.ids & _ROWS.keys()}
        beside = any(_ROWS.get(id) in known for id in other.ids)
        return 2.0 * len(shared) + beside
    if one.panel.level != other.panel.level:
        return 0.0
    alike = len(shared) / (len(one.ids | other.ids) or 1)
    if one.panel.level == "elided":
        return 1.0
    if one.panel.level == "sublayer":
        return alike + (one.panel.title == other.panel.title)
    # A frame of the same tower stands for its layers, however they are built.
    return alike + 0.01 * (_tower(one) == _tower(other))


def _tower(part: _Part) -> str:
    """What all components of a frame begin with, where that is no known component's own word."""
    heads = {id.partition(".")[0] for id in part.ids}
    return heads.pop() if len(heads) == 1 else ""
