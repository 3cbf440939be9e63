"""The boxes of two models side by side: what stands in each, and how large it must be for that.

Any drawing that arranges rows makes cards of its boxes: of these the arrangement reads node, kind
and size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from modeldiff.architectures.architecture import Node
from modeldiff.drawings.diagram.box_values import BoxValue
from modeldiff.drawings.style.svg import DETAIL_GAP
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.processes.late_dataclass import dataclass

LABEL, SHAPE, DETAIL = 14.0, 13.0, 13.0
_PAD = 11.0
_LEAST, _MOST = 108.0, 310.0
_LEAST_NORM = 92.0
_WORDS = 216.0
_PHRASE = 120.0
_PILL = 26.0
SYMBOL = 24.0

TextRole = Literal["label", "shape", "detail", "operation", "symbol"]


@dataclass(frozen=True)
class TextLine:
    """One line of text; ``x`` is its anchor, ``y`` its baseline.

    ``after`` follows on the same line as a ``detail``, wherever a font lets ``text`` end.
    """

    x: float
    y: float
    text: str
    size: float
    role: TextRole
    anchor: Literal["start", "middle"] = "start"
    after: str = ""

    @property
    def bold(self) -> bool:
        return self.role in ("label", "symbol")

    @property
    def css(self) -> str:
        """The class that it is painted by."""
        return {"operation": "op", "symbol": "sign"}.get(self.role, self.role)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.x - (self.width / 2 if self.anchor == "middle" else 0.0)

    @property
    def width(self) -> float:
        own = text_width(self.text, self.size, bold=self.bold)
        return own + DETAIL_GAP + text_width(self.after, DETAIL) if self.after else own


@dataclass(frozen=True)
class Card:
    """A node as a box of a size, with ``values`` of its parameters (none for an operation).

    ``lines`` are those of shape and meaning under the label, each as what is written as a shape and
    what follows it as a detail.
    """

    node: Node
    kind: Literal["parameters", "operation", "symbol"]
    label: str
    detail: str
    values: tuple[BoxValue, ...]
    lines: tuple[tuple[str, str], ...]
    width: float
    height: float

    def texts(self, width: float) -> tuple[TextLine, ...]:
        """The lines of text, by the box's upper left corner, in a box of this width."""
        if self.kind == "symbol":
            return (TextLine(width / 2, 17.5, self.label, 17, "symbol", "middle"),)
        if self.kind == "operation":
            text = f"{self.label} · {self.detail}" if self.detail else self.label
            text = shorten(text, width - 2 * _PAD, SHAPE)
            return (TextLine(width / 2, _PILL / 2 + 4.2, text, SHAPE, "operation", "middle"),)
        room = width - 2 * _PAD
        label = shorten(self.label, room, LABEL, bold=True)
        lines = [TextLine(_PAD, 20, label, LABEL, "label")]
        for row, (shape, detail) in enumerate(self.lines):
            y = 35.0 + 15 * row
            if shape:
                text = shorten(shape, room, SHAPE)
                left = room - text_width(text, SHAPE) - DETAIL_GAP
                after = shorten(detail, left, DETAIL) if left > 2 * DETAIL else ""
                lines.append(TextLine(_PAD, y, text, SHAPE, "shape", after=after))
            else:
                lines.append(TextLine(_PAD, y, shorten(detail, room, DETAIL), DETAIL, "detail"))
        return tuple(lines)


def make_card(node: Node, label: str, values: Sequence[BoxValue], *, alone: bool) -> Card:
    """The card of a node with these values of its parameters. One that is ``alone`` in its row may
    be wide rather than high."""
    if not values:
        return _operation(node)
    meanings = _meanings(node.detail)
    title = text_width(label, LABEL, bold=True)
    least = (_LEAST if node.kind != "norm" else _LEAST_NORM) - 2 * _PAD
    fit = max(least, title, text_width(node.shape, SHAPE), _WORDS if alone else _PHRASE)
    lines = _lines(node.shape, meanings, fit)
    room = max([least, title, *(_line_width(line) for line in lines)])
    width = math.ceil(min(room + 2 * _PAD, _MOST))
    height = math.ceil(20.0 + 15.0 * len(lines) + 10)
    return Card(node, "parameters", label, ", ".join(meanings), tuple(values), lines, width, height)


def _lines(shape: str, meanings: Sequence[str], room: float) -> tuple[tuple[str, str], ...]:
    """The shape and what it means, each in one line where that is at most this wide.

    What fits beside the shape stands there.
    """
    lines = [(shape, "")]
    whole = ", ".join(meanings)
    # In one piece where that is possible, on a line of its own if need be.
    alone = _line_width((shape, whole)) > room >= text_width(whole, DETAIL)
    for meaning in [whole] if alone else meanings:
        before, after = lines[-1]
        longer = before, f"{after}, {meaning}" if after else meaning
        if _line_width(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(("", meaning))
    return tuple(line for line in lines if any(line))


def _line_width(line: tuple[str, str]) -> float:
    shape, detail = line
    between = DETAIL_GAP if shape and detail else 0.0
    return text_width(shape, SHAPE) + between + text_width(detail, DETAIL)


def _operation(node: Node) -> Card:
    if len(node.label) == 1:
        return Card(node, "symbol", node.label, node.detail, (), (), SYMBOL, SYMBOL)
    text = f"{node.label} · {node.detail}" if node.detail else node.label
    width = text_width(text, SHAPE) + 2 * _PAD + 8
    width = math.ceil(max(min(width, 1.6 * _MOST), 64))
    return Card(node, "operation", node.label, node.detail, (), (), width, _PILL)


def _meanings(detail: str) -> list[str]:
    """What the shape means, each without its number or what the box shows anyway."""
    parts = [re.sub(r"^\d+ [=≈] ", "", part) for part in detail.split(", ")]
    return [part for part in parts if part and part != "with bias"]
