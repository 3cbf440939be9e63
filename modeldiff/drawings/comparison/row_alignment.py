"""What of several layouts belongs at one height: their rows, sublayers and frames, aligned."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from modeldiff.architectures.components import (
    ATTENTION_ROWS,
    CROSS_ATTENTION_ROWS,
    MIXER_ROWS,
    MLP_ROWS,
)
from modeldiff.drawings.comparison.sequence_alignment import align
from modeldiff.drawings.diagram.layout.elements import Box, Frame, Layout
from modeldiff.processes.late_dataclass import dataclass

Span = tuple[float, float]

_ROWS = {
    node.id: (graph, number)
    for graph, rows in enumerate((ATTENTION_ROWS, MIXER_ROWS, CROSS_ATTENTION_ROWS, MLP_ROWS))
    for number, row in enumerate(rows)
    for node in row
}
"""Row of each known component, of the graph that it is in."""


@dataclass(frozen=True)
class Slot:
    """What stands at one height: of each side its upper and lower edge, None where it has nothing.

    ``boxes`` are those of each side; only a row has any. ``panels`` are those whose upper edge this
    is, or that the row is in. ``frame`` is the same number for all that stands in one frame, 0
    outside. ``ends`` names what goes in or comes out here.
    """

    spans: tuple[Span | None, ...]
    boxes: tuple[tuple[Box, ...], ...]
    panels: tuple[Frame | None, ...]
    frame: int
    ends: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        """The components of all sides."""
        return frozenset(box.card.node.id for boxes in self.boxes for box in boxes)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames around layers whose upper edges this is."""
        return tuple(panel for panel in self.panels if panel and panel.level == "layer")


@dataclass(frozen=True)
class Gap:
    """Where ``side`` has no counterpart: from slot ``first`` to ``last``.

    ``panel`` is what it lacks, None for a row of boxes. ``elsewhere`` is the title of the sublayer
    where it has the same components at another height, "" where it has them not at all.
    """

    side: int
    first: int
    last: int
    panel: Frame | None
    elsewhere: str = ""


@dataclass(frozen=True)
class _Part:
    """A row of boxes, or a panel with what is in it from top to bottom, or a height at which
    something is written (``ends``) or a branch leaves or joins the stream (``branch``)."""

    span: Span
    boxes: tuple[Box, ...] = ()
    panel: Frame | None = None
    parts: tuple[_Part, ...] = ()
    branch: Literal["", "leaves", "joins"] = ""
    ends: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        own = (box.card.node.id for box in self.boxes)
        return frozenset(own).union(*(part.ids for part in self.parts))


def slots_of(layouts: Sequence[Layout]) -> tuple[tuple[Slot, ...], tuple[Gap, ...]]:
    """All slots from top to bottom, and the gaps among them."""
    builder = _Builder(len(layouts))
    builder.add([_parts(layout) for layout in layouts], [None] * len(layouts))
    gaps = (replace(gap, elsewhere=_elsewhere(gap, builder.slots)) for gap in builder.gaps)
    return tuple(builder.slots), tuple(gaps)


def _elsewhere(gap: Gap, slots: Sequence[Slot]) -> str:
    """In which sublayer of the same frame a side has what is missing here; "" for none."""
    missing = frozenset().union(*(slot.ids for slot in slots[gap.first : gap.last + 1]))
    frame = slots[gap.first].frame
    titles = [
        panel.title
        for slot in slots
        if slot.frame == frame and (panel := slot.panels[gap.side]) is not None
        for box in slot.boxes[gap.side]
        if box.card.node.id in missing
    ]
    return titles[0] if titles else ""


class _Builder:
    def __init__(self, sides: int) -> None:
        self.nothing: tuple[tuple[Box, ...], ...] = ((),) * sides
        self.slots: list[Slot] = []
        self.gaps: list[Gap] = []
        self.frame = 0
        self.frames = 0

    def add(
        self,
        sides: Sequence[Sequence[_Part]],
        within: Sequence[Frame | None],
        *,
        bare: bool = False,
    ) -> None:
        """The slots of parts that stand between the same edges; ``bare``: without gaps."""
        for place in align(sides, _likeness):
            parts = [
                None if at is None else side[at] for side, at in zip(sides, place, strict=True)
            ]
            first = len(self.slots)
            some = next(part for part in parts if part is not None)
            missing = [side for side, part in enumerate(parts) if part is None]
            if some.panel is not None:
                self._panel(parts, some.panel, bare=bool(missing))
            else:
                boxes = [part.boxes if part else () for part in parts]
                self._slot(
                    [part.span if part else None for part in parts], boxes, within, some.ends
                )
            if not bare and (some.panel is not None or some.boxes):
                last = len(self.slots) - 1
                self.gaps += [Gap(side, first, last, some.panel) for side in missing]

    def _panel(self, parts: Sequence[_Part | None], panel: Frame, *, bare: bool) -> None:
        if panel.level == "layer":
            self.frames += 1
            self.frame = self.frames
        panels = [part.panel if part else None for part in parts]
        spans = [part.span if part else None for part in parts]
        self._slot([(span[0], span[0]) if span else None for span in spans], self.nothing, panels)
        self.add([part.parts if part else () for part in parts], panels, bare=bare)
        nowhere = [None] * len(parts)
        self._slot([(span[1], span[1]) if span else None for span in spans], self.nothing, nowhere)
        if panel.level == "layer":
            self.frame = 0

    def _slot(
        self,
        spans: Sequence[Span | None],
        boxes: Sequence[tuple[Box, ...]],
        panels: Sequence[Frame | None],
        ends: frozenset[str] = frozenset(),
    ) -> None:
        self.slots.append(Slot(tuple(spans), tuple(boxes), tuple(panels), self.frame, ends))


def _parts(layout: Layout) -> tuple[_Part, ...]:
    """All of a layout from top to bottom."""
    outer = [panel for panel in layout.panels if panel.level != "sublayer"]
    parts = [_Part(_edges(p), panel=p, parts=tuple(_sublayers(layout, p))) for p in outer]
    parts += _rows([box for box in layout.boxes if not any(_holds(p, box.y) for p in outer)])
    written: dict[float, set[str]] = {}
    for _, y, text in layout.ends:
        written.setdefault(y, set()).add(text)
    # From over the letters to the line that ends under them.
    parts += [_Part((y - 13, y + 6), ends=frozenset(texts)) for y, texts in written.items()]
    return tuple(sorted(parts, key=lambda part: part.span))


def _sublayers(layout: Layout, frame: Frame) -> Iterator[_Part]:
    inner = (p for p in layout.panels if p.level == "sublayer" and _holds(frame, p.y))
    for panel in sorted(inner, key=lambda panel: panel.y):
        parts = list(_rows([box for box in layout.boxes if _holds(panel, box.y)]))
        for branch, points in (("joins", layout.sums), ("leaves", layout.taps)):
            kind: Literal["joins", "leaves"] = "joins" if branch == "joins" else "leaves"
            parts += [_Part((y, y), branch=kind) for _, y in points if _holds(panel, y)]
        ordered = tuple(sorted(parts, key=lambda part: part.span))
        yield _Part(_edges(panel), panel=panel, parts=ordered)


def _edges(panel: Frame) -> Span:
    return panel.y, panel.y + panel.height


def _holds(panel: Frame, y: float) -> bool:
    return panel.y <= y < panel.y + panel.height


def _rows(boxes: Sequence[Box]) -> Iterator[_Part]:
    """Boxes that overlap in height are a row: between rows there is always a gap."""
    row: list[Box] = []
    bottom = 0.0
    for box in sorted(boxes, key=lambda box: box.y):
        if row and box.y > bottom:
            yield _row(row, bottom)
            row = []
        bottom = max(bottom, box.y + box.height)
        row.append(box)
    if row:
        yield _row(row, bottom)


def _row(boxes: Sequence[Box], bottom: float) -> _Part:
    ordered = tuple(sorted(boxes, key=lambda box: box.x))
    return _Part((min(box.y for box in boxes), bottom), boxes=ordered)


def _likeness(one: _Part, other: _Part) -> float:
    """How much two parts are each other's counterparts; 0: not at all."""
    shared = one.ids & other.ids
    if one.panel is None or other.panel is None:
        if one.panel is not other.panel or one.branch != other.branch:
            return 0.0
        if one.branch:
            return 1.0
        return row_likeness(one.ids, other.ids) + len(one.ends & other.ends)
    if one.panel.level != other.panel.level:
        return 0.0
    alike = len(shared) / (len(one.ids | other.ids) or 1)
    if one.panel.level == "elided":
        return 1.0
    if one.panel.level == "sublayer":
        return alike + (one.panel.title == other.panel.title)
    # Frames of the same tower stand for its layers, however they are built.
    return alike + 0.01 * (_tower(one) == _tower(other))


def row_likeness(one: Collection[str], other: Collection[str]) -> float:
    """How much two rows of components are each other's counterparts: by what both have, else by
    the row that a decoder's common graph has them in."""
    known = {_ROWS[id] for id in one if id in _ROWS}
    return 2.0 * len(set(one) & set(other)) + any(_ROWS.get(id) in known for id in other)


def _tower(frame: _Part) -> str:
    """What the names of all components of a frame begin with, "" where they differ in that."""
    heads = {id.partition(".")[0] for id in frame.ids}
    return heads.pop() if len(heads) == 1 else ""
