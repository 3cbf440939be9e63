"""The sheet that the annotated diagram is painted on, and the lines between its boxes."""

from __future__ import annotations

from dataclasses import field

from modeldiff.drawings.annotated.composition import Plane
from modeldiff.drawings.diagram.layout.block import Point, Polyline
from modeldiff.drawings.style.svg import escape, rectangle
from modeldiff.processes.late_dataclass import dataclass

_CORNER = 5.0
ARROW = (
    '<marker id="annotated-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
    ' markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
    '<path class="arrow-head" d="M0 0.5L8 4L0 7.5z"/></marker>'
)
"""The head of a line, for an SVG's ``defs``."""


@dataclass
class Sheet:
    """SVG elements in the order in which they lie: panels and the stream at the ``back``, lines in
    the ``middle``, boxes and words in ``front``."""

    back: list[str] = field(default_factory=list)
    middle: list[str] = field(default_factory=list)
    front: list[str] = field(default_factory=list)

    def svg(self) -> str:
        """All of them."""
        return "".join((*self.back, *self.middle, *self.front))

    def stream(self, plane: Plane, start: float, end: float) -> None:
        """A stretch of the residual stream."""
        a, b = plane.point(start, plane.stream), plane.point(end, plane.stream)
        self.back.append(f'<path class="stream" d="M{a[0]:.1f},{a[1]:.1f}L{b[0]:.1f},{b[1]:.1f}"/>')

    def line(self, plane: Plane, line: Polyline) -> None:
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

    def sum(self, plane: Plane, at: float, radius: float) -> None:
        """The circled plus where something is added to the stream."""
        x, y = plane.point(at, plane.stream)
        self.middle.append(
            f'<circle class="sum" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
            f'<path class="plus" d="M{x - 5:.1f},{y:.1f}h10M{x:.1f},{y - 5:.1f}v10"/>'
        )


def frame_tag(css: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle that holds others."""
    return rectangle(css, round(x, 1), round(y, 1), width, round(height, 1), radius)


def svg_root(width: float, height: float, label: str, font: str) -> str:
    """The opening tag of a drawing."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="annotated" role="group"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        f' font-family="{escape(font)}" aria-label="{escape(label)}">'
    )


def _towards(point: Point, other: Point) -> Point:
    dx, dy = other[0] - point[0], other[1] - point[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return point[0] + dx * share, point[1] + dy * share
