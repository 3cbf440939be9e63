"""What holds for every laid-out drawing: nothing lies on another, nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

import pytest

from modeldiff.drawings.diagram.layout.block import Point, Polyline
from modeldiff.drawings.diagram.layout.elements import Box, Layout


def assert_layout_is_clear(layout: Layout) -> None:
    """No two boxes overlap, all are within the picture, and every line is upright or level and
    goes round all boxes."""
    assert_apart(layout.boxes)
    for box in layout.boxes:
        assert box.x >= 0 and box.x + box.width <= layout.width
        assert box.y >= 0 and box.y + box.height <= layout.height
    lines = [route.points for route in layout.routes]
    for line in lines:
        for (x, y), (x2, y2) in pairwise(line):
            assert x == pytest.approx(x2, abs=0.6) or y == pytest.approx(y2, abs=0.6)
    assert_goes_round(lines, layout.boxes)


def assert_apart(boxes: Sequence[Box]) -> None:
    """No two boxes overlap."""
    for one, other in combinations(boxes, 2):
        beside = one.x + one.width < other.x or other.x + other.width < one.x
        above = one.y + one.height < other.y or other.y + other.height < one.y
        assert beside or above, (one.card.node.id, other.card.node.id)


def assert_goes_round(lines: Iterable[Polyline], boxes: Sequence[Box]) -> None:
    """No line runs through the inside of a box."""
    for line in lines:
        for a, b in pairwise(line):
            for box in boxes:
                assert not _crosses(a, b, box), (line, box.card.node.id)


def _crosses(a: Point, b: Point, box: Box) -> bool:
    """Whether an upright or level line runs through the inside of a box."""
    left, right = min(a[0], b[0]), max(a[0], b[0])
    top, bottom = min(a[1], b[1]), max(a[1], b[1])
    return (
        right > box.x + 1
        and left < box.x + box.width - 1
        and bottom > box.y + 1
        and top < box.y + box.height - 1
    )
