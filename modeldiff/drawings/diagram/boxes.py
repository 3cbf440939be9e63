"""The diagram's boxes: what stands in each, and how large it must be for that."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modeldiff.architectures.architecture import Node
from modeldiff.drawings.diagram.box_values import BoxValue
from modeldiff.drawings.style.svg import DETAIL_GAP
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.findings.status_words import NOT_MEASURED
from modeldiff.text.formatting import format_share

LABEL, NUMBER, SHAPE, DETAIL = 14.0, 14.0, 13.0, 13.0
_PAD = 11.0
_LEAST, _MOST = 92.0, 310.0
_SMALL, _LARGE = 118.0, 190.0
_WORDS = 216.0
_PHRASE = 120.0
_SHORTEST = 60.0
_MOST_NUMBER = 150.0
_MOST_NAME = 130.0
_GAUGE = 17.0
_PILL = 26.0
SYMBOL = 24.0
STRIP = 13.0
BAR = 6.0

TextRole = Literal["label", "number", "words", "shape", "detail", "operation", "symbol"]


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
    anchor: Literal["start", "middle", "end"] = "start"
    after: str = ""

    @property
    def bold(self) -> bool:
        return self.role in ("label", "number", "symbol")

    @property
    def css(self) -> str:
        """The class that it is painted by."""
        if self.role == "number" and self.size < NUMBER:
            return "number small"
        return {"operation": "op", "symbol": "sign"}.get(self.role, self.role)

    @property
    def left(self) -> float:
        """Where it begins."""
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return self.x - share * self.width

    @property
    def width(self) -> float:
        own = text_width(self.text, self.size, bold=self.bold)
        return own + DETAIL_GAP + text_width(self.after, DETAIL) if self.after else own


@dataclass(frozen=True)
class Gauge:
    """Where a value's bar, or its strip over the layers, stands in the box."""

    value: BoxValue
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Card:
    """A node as a box of a size, with ``values`` of its parameters (none for an operation).

    ``lines`` are those of shape, meaning and share under the label, each as what is written as a
    shape and what follows it as a detail.
    """

    node: Node
    kind: Literal["parameters", "operation", "symbol"]
    label: str
    detail: str
    values: tuple[BoxValue, ...]
    numbers: tuple[str, ...]
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
        single = len(self.values) == 1 and bool(self.numbers)
        lines = []
        occupied = 0.0
        if single:
            size, role = _number_style(self.values[0])
            least = min(text_width(self.label, LABEL, bold=True), _SHORTEST)
            number = shorten(self.numbers[0], room - least - DETAIL_GAP, size, bold=True)
            lines.append(TextLine(width - _PAD, 20, number, size, role, "end"))
            occupied += lines[0].width + DETAIL_GAP
        label = shorten(self.label, room - occupied, LABEL, bold=True)
        lines.insert(0, TextLine(_PAD, 20, label, LABEL, "label"))
        for row, (shape, detail) in enumerate(self.lines):
            y = 35.0 + 15 * row
            if shape:
                text = shorten(shape, room, SHAPE)
                left = room - text_width(text, SHAPE) - DETAIL_GAP
                after = shorten(detail, left, DETAIL) if left > 2 * DETAIL else ""
                lines.append(TextLine(_PAD, y, text, SHAPE, "shape", after=after))
            else:
                lines.append(TextLine(_PAD, y, shorten(detail, room, DETAIL), DETAIL, "detail"))
        if not single:
            rows = zip(self.values, self.gauges(width), self.numbers, strict=False)
            for value, gauge, number in rows:
                y = gauge.y + gauge.height / 2 + 4
                name = shorten(value.parameter, _name_room(self.values), DETAIL)
                text = shorten(number, _MOST_NUMBER, DETAIL, bold=True)
                lines.append(TextLine(_PAD, y, name, DETAIL, "detail"))
                lines.append(
                    TextLine(width - _PAD, y, text, DETAIL, _number_style(value)[1], "end")
                )
        return tuple(lines)

    def gauges(self, width: float) -> tuple[Gauge, ...]:
        """The bars in a box of this width: one below the text, or a row each beside its number."""
        if not self.numbers:
            return ()
        top = 20.0 + 15.0 * len(self.lines)
        strip = any(value.spread for value in self.values)
        height = STRIP if strip else BAR
        if len(self.values) == 1:
            y = top + (6.0 if strip else 9.0)
            return (Gauge(self.values[0], _PAD, y, width - 2 * _PAD, height),)
        left = _PAD + _name_room(self.values) + 6
        right = width - _PAD - _number_room(self.numbers) - 6
        return tuple(
            Gauge(value, left, top + 5 + row * _GAUGE + (_GAUGE - height) / 2, right - left, height)
            for row, value in enumerate(self.values)
        )


def make_card(
    node: Node,
    label: str,
    values: Sequence[BoxValue],
    numbers: Sequence[str],
    *,
    largest: int,
    alone: bool,
) -> Card:
    """The card of a node. ``numbers`` are the values as text, none without a comparison.

    ``largest`` is the number of elements of the layer's largest component: a box's width grows with
    the root of its share of that, as far as its text leaves room. A card that is ``alone`` in its
    row may be wide rather than high.
    """
    values = tuple(values)
    if not values:
        return _operation(node)
    meanings = _meanings(node.detail)
    numbers = tuple(numbers)
    elements = sum(value.elements for value in values)
    size = math.sqrt(min(1.0, elements / largest)) if largest else 0.0
    title = text_width(label, LABEL, bold=True)
    large = _SMALL + (_LARGE - _SMALL) * size if node.kind != "norm" else 0.0
    room = max(large, _LEAST) - 2 * _PAD
    share = sum(value.share for value in values)
    note = parameter_share_text(share)
    # The lines, and so the height, are the same whatever the numbers turn out to be.
    fit = max(room, title, text_width(node.shape, SHAPE), _WORDS if alone else _PHRASE)
    lines = _lines(node.shape, meanings, note, fit)
    detail = ", ".join(meanings)
    room = max([room, title, *(_line_width(line) for line in lines)])
    bars = 0.0
    if len(values) == 1 and numbers:
        number = text_width(numbers[0], _number_style(values[0])[0], bold=True)
        room = max(room, title + DETAIL_GAP + number)
        # What is yet to be measured has room for its bar already: the picture fills in, unmoved.
        if values[0].value is not None or values[0].words == NOT_MEASURED:
            bars = 6 + STRIP if values[0].spread else 9 + BAR
    elif numbers:
        room = max(room, _name_room(values) + 12 + 44 + _number_room(numbers))
        bars = 3 + _GAUGE * len(values)
    width = math.ceil(min(room + 2 * _PAD, _MOST))
    height = math.ceil(20.0 + 15.0 * len(lines) + bars + 10)
    return Card(node, "parameters", label, detail, values, numbers, lines, width, height)


def _lines(
    shape: str, meanings: Sequence[str], share: str, room: float
) -> tuple[tuple[str, str], ...]:
    """The shape, what it means and the share, each in one line where that is at most this wide.

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
    if whole or _line_width((shape, share)) > room:
        lines.append(("", share))
    else:
        lines = [(shape, share)]
    return tuple(line for line in lines if any(line))


def _line_width(line: tuple[str, str]) -> float:
    shape, detail = line
    between = DETAIL_GAP if shape and detail else 0.0
    return text_width(shape, SHAPE) + between + text_width(detail, DETAIL)


def parameter_share_text(share: float) -> str:
    """How much of the model a box stands for, in words; nothing for what is stored elsewhere."""
    return f"{format_share(share, digits=2)} of parameters" if share else ""


def _operation(node: Node) -> Card:
    if len(node.label) == 1:
        return Card(node, "symbol", node.label, node.detail, (), (), (), SYMBOL, SYMBOL)
    text = f"{node.label} · {node.detail}" if node.detail else node.label
    width = text_width(text, SHAPE) + 2 * _PAD + 8
    width = math.ceil(max(min(width, 1.6 * _MOST), 64))
    return Card(node, "operation", node.label, node.detail, (), (), (), width, _PILL)


def _meanings(detail: str) -> list[str]:
    """What the shape means, each without its number or what the box shows anyway."""
    parts = [re.sub(r"^\d+ [=≈] ", "", part) for part in detail.split(", ")]
    return [part for part in parts if part and part != "with bias"]


def _name_room(values: Sequence[BoxValue]) -> float:
    return min(_MOST_NAME, max(text_width(value.parameter, DETAIL) for value in values))


def _number_room(numbers: Sequence[str]) -> float:
    return min(_MOST_NUMBER, max(text_width(number, DETAIL, bold=True) for number in numbers))


def _number_style(value: BoxValue) -> tuple[float, TextRole]:
    """Size and role of a value's number, or of the words that stand in its place."""
    return (NUMBER, "number") if value.value is not None else (DETAIL, "words")
