"""How the diagram's colours, lines and letters are written in SVG."""

from __future__ import annotations

from itertools import pairwise

from modeldiff.drawings.diagram.layout.block import Point
from modeldiff.drawings.diagram.layout.elements import Route
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape
from modeldiff.drawings.style.text_metrics import text_width

LABEL_SIZE = 13.0
_CORNER = 7.0
# Beside the circles on the line, and above where a frame begins.
_LABEL_ASIDE, _LABEL_START = 15.0, 90.0

ARROWS = "".join(
    f'<marker id="arrow-{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="{size}"'
    f' markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto">'
    f'<path class="head-{kind}" d="M0,0.6 L8,4 L0,7.4 z"/></marker>'
    for kind, size in (("plain", 8), ("branch", 8), ("stream", 15))
)
"""The heads of the lines, for an SVG's ``defs``."""


def style_sheet(palette: Palette) -> str:
    """The rules for everything in the diagram; they touch nothing outside of it."""
    p = palette
    small = f"font-size:13px;fill:{p.muted}"
    rules = {
        "text": f"fill:{p.text}",
        ".ground": f"fill:{p.surface}",
        ".caption": small,
        ".detail": f"{small};font-weight:400",
        ".layer": f"fill:none;stroke:{p.line};stroke-width:1.5",
        ".sublayer": f"fill:{p.panel}",
        ".elided": f"fill:none;stroke:{p.line};stroke-dasharray:5 4",
        ".title": "font-size:15px;font-weight:700",
        ".subtitle": f"font-size:13px;font-weight:600;fill:{p.muted}",
        ".aside": f"font-size:13px;fill:{p.muted}",
        ".end": f"font-size:13px;font-weight:600;fill:{p.muted}",
        ".stream": f"fill:none;stroke:{p.accent};stroke-width:4",
        ".branch": f"fill:none;stroke:{p.accent};stroke-width:1.6",
        ".plain": f"fill:none;stroke:{p.muted};stroke-width:1.3",
        ".head-plain": f"fill:{p.muted}",
        ".head-branch": f"fill:{p.accent}",
        ".head-stream": f"fill:{p.accent}",
        ".along": f"font-size:{LABEL_SIZE:g}px;fill:{p.muted}",
        ".tap": f"fill:{p.accent}",
        ".sum": f"fill:{p.surface};stroke:{p.accent};stroke-width:2",
        ".plus": f"stroke:{p.accent};stroke-width:2",
        ".box": f"fill:{p.surface};stroke:{p.line};stroke-width:1.2",
        ".operation .box": f"fill:none;stroke:{p.muted};stroke-dasharray:4 3",
        ".symbol .box": f"fill:{p.surface};stroke:{p.muted};stroke-dasharray:none",
        ".label": "font-size:14px;font-weight:700",
        ".shape": "font-size:13px",
        ".op": f"font-size:13px;fill:{p.muted}",
        ".sign": f"font-size:17px;font-weight:700;fill:{p.muted}",
        ".others": f"fill:{p.track}",
        ".own": f"fill:{p.accent}",
        ".node": "cursor:pointer;outline:none",
        ".node:hover .box": f"stroke:{p.accent};stroke-width:2",
        ".node:focus-visible .box": f"stroke:{p.accent};stroke-width:3;stroke-dasharray:5 3",
        ".selected .box": f"stroke:{p.accent};stroke-width:3",
    }
    return "".join(f".diagram {name}{{{rule}}}" for name, rule in rules.items())


def line_tag(route: Route) -> str:
    """A line with round corners, and a head where it ends in a box or a sum."""
    points = route.points
    path = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        (x, y), (x2, y2) = _towards(here, before), _towards(here, after)
        path.append(f"L{x:.1f},{y:.1f}Q{here[0]:.1f},{here[1]:.1f} {x2:.1f},{y2:.1f}")
    path.append(f"L{points[-1][0]:.1f},{points[-1][1]:.1f}")
    return (
        f'<path class="{route.kind}" d="{"".join(path)}" marker-end="url(#arrow-{route.kind})"/>'
        + _label_tag(route)
    )


def label_place(route: Route) -> tuple[float, float, float] | None:
    """Where a route's label goes: x and y of its lower end, from which it runs up, and its length.

    None where the line has no label, or rises nowhere far enough for it.
    """
    length = text_width(route.label, LABEL_SIZE)
    if route.label:
        for (x, y), (after, end) in pairwise(route.points):
            if x == after and y - end > _LABEL_START + length:
                return x - _LABEL_ASIDE, y - _LABEL_START, length
    return None


def _label_tag(route: Route) -> str:
    place = label_place(route)
    if place is None:
        return ""
    x, y, _ = place
    return (
        f'<text class="along" transform="translate({x:g} {y:g}) rotate(-90)">'
        f"{escape(route.label)}</text>"
    )


def _towards(point: Point, other: Point) -> Point:
    """Where a round corner at ``point`` begins on the way to ``other``."""
    dx, dy = other[0] - point[0], other[1] - point[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return point[0] + dx * share, point[1] + dy * share


def sum_tag(at: Point) -> str:
    """The circled plus where a branch is added to the stream."""
    x, y = at
    return (
        f'<circle class="sum" cx="{x:g}" cy="{y:g}" r="10"/>'
        f'<path class="plus" d="M{x - 5:g},{y:g}h10M{x:g},{y - 5:g}v10"/>'
    )
