"""A diagram with its notes on one sheet: beside it or below it, or as large as a slide allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from modeldiff.drawings.diagram.layout.canvas_columns import MARGIN
from modeldiff.drawings.diagram.layout.elements import Layout
from modeldiff.drawings.diagram.legend_notes import (
    BETWEEN_COLUMNS,
    COLUMN,
    LegendNote,
    NotesBlock,
    notes_block,
)

_SLIDE = 16.0, 9.0
_MOST_BESIDE = 5


@dataclass(frozen=True)
class Sheet:
    """A layout with room for its notes, and these, their upper left corner at ``x`` and ``y``."""

    layout: Layout
    notes: NotesBlock
    x: float = 0.0
    y: float = 0.0


def sheet(layout: Layout, notes: Sequence[LegendNote], room: float | None) -> Sheet:
    """The notes beside the drawing, in as many columns as it takes for them to be no higher; below
    it, in as many as it is wide, where that would be wider than ``room`` pixels (None: never)."""
    if not notes:
        return Sheet(layout, notes_block((), 1))
    columns, block = 1, notes_block(notes, 1)
    while columns < len(notes) and block.height > layout.height - 2 * MARGIN:
        columns += 1
        block = notes_block(notes, columns)
    beside = _beside(layout, block)
    return beside if room is None or beside.layout.width <= room else _below(layout, notes)


def slide(layouts: Iterable[Layout], notes: Sequence[LegendNote], frame: float) -> Sheet:
    """The sheet that is largest where all of it is to be seen on a slide, 16 by 9.

    ``layouts`` are ways to lay out the same drawing; ``frame`` is the height of what is written
    over and under it.
    """
    width, height = _SLIDE
    blocks = [notes_block(notes, 1 + more) for more in range(min(_MOST_BESIDE, len(notes)))]
    ways = [
        way
        for layout in layouts
        for way in (
            [*(_beside(layout, block) for block in blocks), _below(layout, notes)]
            if notes
            else [sheet(layout, (), None)]
        )
    ]
    return max(
        ways, key=lambda way: min(width / way.layout.width, height / (way.layout.height + frame))
    )


def _beside(layout: Layout, block: NotesBlock) -> Sheet:
    width = layout.width + block.width + MARGIN
    height = max(layout.height, block.height + 2 * MARGIN)
    return Sheet(replace(layout, width=width, height=height), block, layout.width, MARGIN)


def _below(layout: Layout, notes: Sequence[LegendNote]) -> Sheet:
    inner = layout.width - 2 * MARGIN + BETWEEN_COLUMNS
    columns = max(1, int(inner // (COLUMN + BETWEEN_COLUMNS)))
    block = notes_block(notes, columns, inner / columns - BETWEEN_COLUMNS)
    height = layout.height + block.height + 2 * MARGIN
    return Sheet(replace(layout, height=height), block, MARGIN, layout.height + MARGIN)
