"""How large the smallest text of an SVG is, in its own units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIZE = re.compile(r"font-size:\s*([\d.]+)")
_SCALE = re.compile(r"scale\(\s*([\d.]+)")


def least_text_size(svg: str) -> float | None:
    """The least size of any text that is drawn; None where there is none.

    Sizes are looked for where our drawings have them: in attributes, in a style sheet's rules for a
    class or an element, and in the scale of what stands around: ``scale(…)``, or an ``svg`` within
    the SVG.
    """
    root = ElementTree.fromstring(svg)
    rules: dict[str, float] = {}
    for sheet in root.findall(".//{*}style"):
        for selectors, body in _RULE.findall(sheet.text or ""):
            size = _SIZE.search(body)
            if size is not None:
                for selector in selectors.split(","):
                    rules[selector.split()[-1]] = float(size[1])
    return min(_sizes(root, rules, 16.0, 1.0), default=None)


def _sizes(
    element: ElementTree.Element, rules: Mapping[str, float], inherited: float, scale: float
) -> Iterator[float]:
    name = str(element.tag).rpartition("}")[2]
    own = element.get("font-size")
    by_class = [
        rules[f".{css}"] for css in (element.get("class") or "").split() if f".{css}" in rules
    ]
    if by_class:
        inherited = by_class[-1]
    elif name in rules:
        inherited = rules[name]
    elif own is not None:
        inherited = float(own.removesuffix("px"))
    by = _SCALE.search(element.get("transform") or "")
    scale *= float(by[1]) if by else 1.0
    if name == "svg" and element.get("x") is not None:
        _, _, width, height = map(float, str(element.get("viewBox")).split())
        room = float(str(element.get("width"))), float(str(element.get("height")))
        scale *= min(room[0] / width, room[1] / height)
    if name in ("text", "tspan") and (element.text or "").strip():
        yield inherited * scale
    for child in element:
        yield from _sizes(child, rules, inherited, scale)
