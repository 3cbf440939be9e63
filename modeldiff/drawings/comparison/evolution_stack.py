"""One model's stack of boxes in the figure of evolution, data running upward."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.comparison.lineage import Chip, LineKind, StackLine
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.drawings.style.svg import escape, rectangle, text_tag
from modeldiff.processes.late_dataclass import dataclass

_BOX, _GAP = 1.85, 0.33
_LEFT, _RIGHT = 1.1, 0.5
_HEIGHTS: dict[LineKind, float] = {
    "input": 0.0,
    "row": _BOX + _GAP,
    "frame": 0.45,
    "sublayer": 0.0,
    "end of sublayer": 1.2,
    "end of frame": 1.6,
}
"""Of lines and of what stands in them, in sizes of the text."""
_INNER = 0.36
"""Of a box's width, what its words leave free."""


@dataclass(frozen=True)
class StackPainter:
    """Paints the stacks of a row of models, each ``width`` pixels wide, in ``text`` pixels."""

    lines: Sequence[StackLine]
    width: float
    text: float

    @property
    def height(self) -> float:
        """How high every stack is, in pixels."""
        return sum(_HEIGHTS[line.kind] for line in self.lines) * self.text

    def stack(self, number: int) -> str:
        """The stack of the model at this place, as SVG elements."""
        size = self.text
        back: list[str] = []
        front: list[str] = []
        ends: list[float] = []
        low = y = self.height
        for line in self.lines:
            bottom, y = y, y - _HEIGHTS[line.kind] * size
            chips, title = line.chips[number], line.titles[number]
            if line.kind == "row" and chips:
                ends.append(y + (_GAP + _BOX / 2) * size)
                front.append(self._row(chips, y + _GAP * size))
            elif line.kind == "frame":
                low = bottom
            elif line.kind == "end of sublayer" and title:
                at = round(y + 0.95 * size, 1)
                title = REGULAR.shorten(title, self._right - self._left, size)
                front.append(text_tag(title, "quiet", round(self._right, 1), at, "end"))
            elif line.kind == "end of frame" and title:
                top = y + 0.25 * size
                back.append(
                    rectangle(
                        "frame",
                        0.6,
                        round(top, 1),
                        self.width - 1.2,
                        round(low - top, 1),
                        round(0.6 * size, 1),
                    )
                )
                css = "value-new" if line.changed[number] else "label"
                room = self._right - self._left
                if SEMIBOLD.width(title, size) > room:
                    # Which layers are built how is said among the words below.
                    title = SEMIBOLD.shorten(title.partition(":")[0], room, size)
                front.append(text_tag(title, css, round(self._left, 1), round(top + 1.2 * size, 1)))
        stream = ""
        if len(ends) > 1:
            path = (
                f"M{self._left:.1f},{ends[0]:.1f}H{0.55 * size:.1f}V{ends[-1]:.1f}H{self._left:.1f}"
            )
            stream = f'<path class="stream" d="{path}" stroke-linejoin="round"/>'
        return "".join([*back, stream, *front])

    @property
    def _left(self) -> float:
        return _LEFT * self.text

    @property
    def _right(self) -> float:
        return self.width - _RIGHT * self.text

    def _row(self, chips: Sequence[Chip], y: float) -> str:
        """Boxes that fill the room, as wide as their words ask for as far as there is any."""
        gap = _GAP * self.text
        room = self._right - self._left - gap * (len(chips) - 1)
        inner = _INNER * self.text
        widths = [SEMIBOLD.width(_label(chip), self.text) + inner for chip in chips]
        values = [self._value_width(chip) for chip in chips]
        # The shortest values first: a long one is left out where there is no room for all.
        for number in sorted(range(len(chips)), key=lambda number: values[number]):
            widths[number] += min(values[number], max(room - sum(widths), 0.0))
        spare = (room - sum(widths)) / len(chips)
        if spare < 0:
            widths = [width * room / sum(widths) for width in widths]
            spare = 0.0
        alike = max(widths) <= room / len(chips)
        parts = []
        x = self._left
        for chip, width in zip(chips, widths, strict=True):
            own = room / len(chips) if alike else width + spare
            parts.append(self._box(chip, x, y, own))
            x += own + gap
        return "".join(parts)

    def _value_width(self, chip: Chip) -> float:
        if not chip.value:
            return 0.0
        font = SEMIBOLD if chip.mark == "number" else REGULAR
        return font.width(f" {chip.value}", self.text)

    def _box(self, chip: Chip, x: float, y: float, width: float) -> str:
        size = self.text
        css = "gone" if chip.gone else {"only": "built"}.get(chip.mark or "same", chip.mark)
        room = width - 0.5 * _INNER * size
        label = SEMIBOLD.shorten(_label(chip), room, size)
        left = room - SEMIBOLD.width(label, size)
        font = SEMIBOLD if chip.mark == "number" else REGULAR
        parts = chip.value.split(", ")
        # Half a number says nothing: what has no room is left out whole.
        while parts and font.width(f" {', '.join(parts)}", size) > left:
            parts.pop()
        value = ", ".join(parts)
        after = f' <tspan class="value" font-weight="400">{escape(value)}</tspan>' if value else ""
        box = rectangle("box", round(x, 1), round(y, 1), width, _BOX * size, round(0.3 * size, 1))
        at = f'x="{x + width / 2:.1f}" y="{y + (_BOX / 2 + 0.34) * size:.1f}"'
        return (
            f'<g class="{css or "same"}"><title>{escape(chip.title)}</title>{box}'
            f'<text class="label" {at} text-anchor="middle">{escape(label)}{after}</text></g>'
        )


def _label(chip: Chip) -> str:
    return f"no {chip.label}" if chip.gone else chip.label
