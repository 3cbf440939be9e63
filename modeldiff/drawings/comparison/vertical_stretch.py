"""Layouts stretched in height, so that what holds the same place stands at the same height.

Only the spaces between rows grow, never a box, and none shrinks: lines become longer, and nothing
comes to lie on another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from modeldiff.drawings.comparison.row_alignment import Slot, Span
from modeldiff.drawings.diagram.layout.elements import Layout, Route

_APART = 12.0
"""Between what only one side has and what only another has."""

_NEAR = 0.01
"""Heights nearer than this are one, apart from rounding."""

Knots = Sequence[tuple[float, float]]


def level(
    layouts: Sequence[Layout],
    slots: Sequence[Slot],
    least: Mapping[int, float],
    *,
    head: float = 0.0,
) -> tuple[tuple[Layout, ...], tuple[Span, ...]]:
    """The layouts stretched, and where each slot then is.

    ``least`` is how high a slot must be at least, by its number; ``head`` is left free over all.
    """
    knots: list[list[tuple[float, float]]] = [[(0.0, head)] for _ in layouts]
    placed: list[Span] = []
    bottom = head
    alone = False
    for number, slot in enumerate(slots):
        starts = [
            old[-1][1] + span[0] - old[-1][0]
            for old, span in zip(knots, slot.spans, strict=True)
            if span is not None
        ]
        was_alone, alone = alone, len(starts) < len(layouts)
        top = max(*starts, bottom + _APART if alone or was_alone else bottom)
        height = max(
            least.get(number, 0.0),
            *(span[1] - span[0] for span in slot.spans if span is not None),
        )
        bottom = top + height
        placed.append((top, bottom))
        for old, span in zip(knots, slot.spans, strict=True):
            if span is not None:
                own = span[1] - span[0]
                start = top + (height - own) / 2
                old += [(span[0], start), (span[1], start + own)]
    heights = [_moved(old, layout.height) for old, layout in zip(knots, layouts, strict=True)]
    whole = max(heights)
    stretched = (
        _stretched(layout, partial(_moved, old), whole)
        for old, layout in zip(knots, layouts, strict=True)
    )
    return tuple(stretched), tuple(placed)


def _moved(knots: Knots, y: float) -> float:
    """Where a height goes: with the next knot at or below it, so that what is between two rows
    stays near the lower one, from which its lines come."""
    at = min(bisect_left(knots, y - _NEAR, key=lambda knot: knot[0]), len(knots) - 1)
    old, new = knots[at]
    return new + y - old


def _stretched(layout: Layout, move: Callable[[float], float], height: float) -> Layout:
    return Layout(
        layout.width,
        height,
        tuple(replace(box, y=move(box.y)) for box in layout.boxes),
        tuple(
            replace(p, y=move(p.y), height=move(p.y + p.height) - move(p.y)) for p in layout.panels
        ),
        tuple(Route(tuple((x, move(y)) for x, y in r.points), r.kind) for r in layout.routes),
        tuple((x, move(y)) for x, y in layout.sums),
        tuple((x, move(y)) for x, y in layout.taps),
        tuple((x, move(y), text) for x, y, text in layout.ends),
    )


def beside(layouts: Sequence[Layout], between: float) -> Layout:
    """Layouts as one, from left to right, with space between them."""
    left = 0.0
    shifted: list[Layout] = []
    for layout in layouts:
        shifted.append(_shifted(layout, left))
        left += layout.width + between
    return Layout(
        left - between,
        max(layout.height for layout in layouts),
        tuple(box for layout in shifted for box in layout.boxes),
        tuple(panel for layout in shifted for panel in layout.panels),
        tuple(route for layout in shifted for route in layout.routes),
        tuple(at for layout in shifted for at in layout.sums),
        tuple(at for layout in shifted for at in layout.taps),
        tuple(end for layout in shifted for end in layout.ends),
    )


def _shifted(layout: Layout, left: float) -> Layout:
    return replace(
        layout,
        boxes=tuple(replace(box, x=box.x + left) for box in layout.boxes),
        panels=tuple(replace(panel, x=panel.x + left) for panel in layout.panels),
        routes=tuple(
            Route(tuple((x + left, y) for x, y in r.points), r.kind) for r in layout.routes
        ),
        sums=tuple((x + left, y) for x, y in layout.sums),
        taps=tuple((x + left, y) for x, y in layout.taps),
        ends=tuple((x + left, y, text) for x, y, text in layout.ends),
    )
