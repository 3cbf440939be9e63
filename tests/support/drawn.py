"""Where things stand in a finished drawing, read back from its SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from modeldiff.drawings.style.text_metrics import text_width

_SVG = "{http://www.w3.org/2000/svg}"
_SIZE = re.compile(r"\.diagram \.([\w-]+)\{[^}]*?font-size:([\d.]+)px")
_PLAIN_SIZE = 16.0
_LINES = ("stream", "branch", "plain")


@dataclass(frozen=True)
class Area:
    """A rectangle of the picture and what is in it; ``node`` is the box that holds it."""

    what: str
    left: float
    top: float
    right: float
    bottom: float
    node: int | None = None

    def meets(self, other: Area) -> bool:
        """Whether the two have a pixel in common."""
        return (
            self.left < other.right - 0.5
            and other.left < self.right - 0.5
            and self.top < other.bottom - 0.5
            and other.top < self.bottom - 0.5
        )


@dataclass(frozen=True)
class Drawn:
    """All texts, boxes, badges and pieces of lines of a drawing, in its own pixels."""

    width: float
    height: float
    texts: tuple[Area, ...]
    boxes: tuple[Area, ...]
    badges: tuple[Area, ...]
    lines: tuple[Area, ...]


def read_drawing(svg: str) -> Drawn:
    """The areas of an SVG of ``diagram_svg``. Texts are as wide as the widest usual font."""
    root = ElementTree.fromstring(svg)
    sizes = {name: float(size) for name, size in _SIZE.findall(svg)}
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    found: dict[str, list[Area]] = {"text": [], "box": [], "badge": [], "line": []}
    for kind, area in _areas(root, 0.0, 0.0, None, sizes):
        found[kind].append(area)
    text, box, badge, line = (tuple(found[kind]) for kind in ("text", "box", "badge", "line"))
    return Drawn(width, height, text, box, badge, line)


def _areas(
    element: ElementTree.Element, x: float, y: float, node: int | None, sizes: dict[str, float]
) -> Iterator[tuple[str, Area]]:
    css = element.get("class", "")
    moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    if element.tag == f"{_SVG}g" and css.startswith(("node", "operation")):
        node = id(element)
    if element.tag == f"{_SVG}text":
        yield "text", _text(element, css, x, y, node, sizes)
    elif element.tag == f"{_SVG}circle" and css == "badge":
        cx, cy, r = (float(element.attrib[name]) for name in ("cx", "cy", "r"))
        yield "badge", Area("badge", x + cx - r, y + cy - r, x + cx + r, y + cy + r, node)
    elif element.tag == f"{_SVG}rect" and css == "box":
        left, top = x + float(element.attrib["x"]), y + float(element.attrib["y"])
        right = left + float(element.attrib["width"])
        yield "box", Area("box", left, top, right, top + float(element.attrib["height"]), node)
    elif element.tag == f"{_SVG}path" and css in _LINES:
        numbers = re.findall(r"([-\d.]+),([-\d.]+)", element.attrib["d"])
        points = [(x + float(a), y + float(b)) for a, b in numbers]
        for (a, b), (c, d) in pairwise(points):
            yield "line", Area(css, min(a, c) - 0.5, min(b, d) - 0.5, max(a, c) + 1, max(b, d) + 1)
    for child in element:
        yield from _areas(child, x, y, node, sizes)


def _text(
    element: ElementTree.Element,
    css: str,
    x: float,
    y: float,
    node: int | None,
    sizes: dict[str, float],
) -> Area:
    words = "".join(element.itertext())
    size = min(sizes.get(name, _PLAIN_SIZE) for name in css.split())
    width = text_width(element.text or "", size)
    for span in element:
        width += float(span.get("dx", 0)) + text_width(span.text or "", sizes["detail"])
    x, y = x + float(element.get("x", 0)), y + float(element.get("y", 0))
    if "rotate(-90)" in element.get("transform", ""):
        return Area(words, x - 0.75 * size, y - width, x + 0.2 * size, y, node)
    left = x - width * {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
    return Area(words, left, y - 0.72 * size, left + width, y + 0.15 * size, node)
