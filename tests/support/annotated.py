"""Where things stand in a finished annotated diagram, read back from its SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from modeldiff.drawings.style.fonts import HEADING, REGULAR, SEMIBOLD
from tests.support.drawn import Area

_RULE = re.compile(r"\.annotated \.([\w-]+)\{([^}]*)\}")
_NUMBER = r"(-?[\d.]+)"
_BOXES = ("node", "operation", "symbol")


@dataclass(frozen=True)
class Annotated:
    """All texts, boxes and pieces of lines of a drawing, in its own pixels."""

    width: float
    height: float
    texts: tuple[Area, ...]
    boxes: tuple[Area, ...]
    lines: tuple[Area, ...]


def read_annotated(svg: str) -> Annotated:
    """The areas of an SVG of the annotated diagram; of a stack of cards, the one in front."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    rules = dict(_RULE.findall(svg))
    areas: dict[str, list[Area]] = {"text": [], "box": [], "line": []}
    for kind, area in _areas(root, 0.0, 0.0, None, rules):
        areas[kind].append(area)
    return Annotated(width, height, *(tuple(areas[kind]) for kind in ("text", "box", "line")))


def _areas(
    element: ElementTree.Element, x: float, y: float, node: int | None, rules: Mapping[str, str]
) -> Iterator[tuple[str, Area]]:
    tag, css = element.tag.rpartition("}")[2], element.get("class", "").split()
    moved = re.match(rf"translate\({_NUMBER} {_NUMBER}\)", element.get("transform", ""))
    if moved and tag == "g":
        x, y = x + float(moved[1]), y + float(moved[2])
    if tag == "g" and css and css[0] in _BOXES:
        node = id(element)
        (*_, box) = (one for one in element if one.get("class") == "box")
        size = float(box.attrib["width"]), float(box.attrib["height"])
        yield "box", Area(str(element.get("data-node")), x, y, x + size[0], y + size[1], node)
    if tag == "text":
        yield "text", _text(element, css, x, y, node, rules)
    elif tag == "path" and css and css[0] in ("way", "stream"):
        numbers = re.findall(rf"{_NUMBER},{_NUMBER}", element.attrib["d"])
        points = [(x + float(a), y + float(b)) for a, b in numbers]
        for (a, b), (c, d) in pairwise(points):
            yield "line", Area(css[0], min(a, c), min(b, d), max(a, c) + 0.6, max(b, d) + 0.6)
    for child in element:
        yield from _areas(child, x, y, node, rules)


def _text(
    element: ElementTree.Element,
    css: list[str],
    x: float,
    y: float,
    node: int | None,
    rules: Mapping[str, str],
) -> Area:
    rule = ";".join(rules.get(name, "") for name in css)
    size = float((re.search(r"font-size:([\d.]+)px", rule) or ["", "14"])[1])
    font = HEADING if "font-family" in rule else SEMIBOLD if "weight:600" in rule else REGULAR
    width = font.width(element.text or "", size)
    width += sum(REGULAR.width(span.text or "", size) for span in element)
    words = "".join(element.itertext())
    turned = re.match(
        rf"translate\({_NUMBER} {_NUMBER}\) rotate\(-90\)", element.get("transform", "")
    )
    if turned:
        x, y = x + float(turned[1]), y + float(turned[2])
        top = y - width / 2
        return Area(words, x - 0.66 * size, top, x + 0.14 * size, top + width, node)
    x, y = x + float(element.get("x", 0)), y + float(element.get("y", 0))
    left = x - width * {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
    return Area(words, left, y - 0.66 * size, left + width, y + 0.14 * size, node)
