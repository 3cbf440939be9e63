"""Painting the boxes of the annotated diagram."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.drawings.annotated.colours import Colours
from modeldiff.drawings.annotated.heads import HEAD_HEIGHT
from modeldiff.drawings.annotated.tiles import BADGE, CHIP, CHIP_WIDTH, LINE, TEXT, Tile
from modeldiff.drawings.diagram.box_values import NOT_FINITE_WORDS, PARTLY_WORDS, BoxValue
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.drawings.style.metrics import EQUAL_SIGN, FEW_SIGN, Metric
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.drawings.style.value_scale import ValueScale
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_pct, format_share

_BASE = 0.34 * TEXT
_PAD, _NARROW, _CORNER = 9.0, 150.0, 7


@dataclass(frozen=True)
class TilePainter:
    """Paints tiles. ``scales`` are those of matrices (False) and of norms and biases (True), none
    without a comparison."""

    colours: Colours
    metric: Metric
    scales: Mapping[bool, ValueScale]
    selected: str | None

    def tile(self, tile: Tile, x: float, y: float, width: float, height: float) -> str:
        """A tile in its place on the page."""
        place = f'transform="translate({x:.1f} {y:.1f})"'
        inner = self._box(tile, width, height) + self._words(tile, width, height)
        if tile.form in ("operation", "symbol"):
            title = escape(f"{tile.node.label} {tile.node.detail}".strip())
            return f'<g class="{tile.form} {tile.group}" {place}><title>{title}</title>{inner}</g>'
        chosen = self.selected is not None and self.selected in (
            tile.node.id,
            *(f"{tile.node.id}.{value.parameter}" for value in tile.values),
        )
        number = f' data-number="{tile.number}"' if tile.number is not None else ""
        return (
            f'<g class="node {tile.group}{" selected" if chosen else ""}" {place}'
            f' data-node="{escape(tile.node.id)}"{number} role="button" tabindex="0"'
            f' aria-pressed="{str(chosen).lower()}" aria-label="{escape(self._said(tile))}">'
            f"<title>{escape(self._tooltip(tile))}</title>{inner}</g>"
        )

    def _box(self, tile: Tile, width: float, height: float) -> str:
        radius = {"symbol": height / 2, "operation": min(height / 2, 14)}.get(tile.form, 5)
        size = f'width="{width:.1f}" height="{height:.1f}" rx="{radius:g}"'
        back = ""
        if ".experts." in f".{tile.node.id}" and tile.form not in ("operation", "symbol"):
            # Many of a kind: a stack of cards.
            back = "".join(f'<rect class="box" x="{n}" y="{-n}" {size}/>' for n in (6, 3))
        return f'{back}<rect class="box" {size}/>'

    def _words(self, tile: Tile, width: float, height: float) -> str:
        paint = {
            "symbol": self._symbol,
            "operation": self._stack,
            "stack": self._stack,
            "upright": self._upright,
            "bar": self._bar,
            "heads": self._heads,
            "flat": self._flat,
        }[tile.form]
        return paint(tile, width, height)

    def _symbol(self, tile: Tile, width: float, height: float) -> str:
        return text_tag(tile.label, "sign", width / 2, height / 2 + 6, "middle")

    def _stack(self, tile: Tile, width: float, height: float) -> str:
        chip = self._value(tile) is not None
        badge = 2 * BADGE + 6 if tile.number is not None else 0.0
        whole = badge + LINE * (1 + len(tile.lines)) + (CHIP + 6 if chip else 0)
        y = (height - whole) / 2
        middle = width / 2
        parts = []
        if tile.number is not None:
            parts.append(badge_tag(tile.number, middle, y + BADGE))
            y += badge
        label = SEMIBOLD.shorten(tile.label, width - 6, TEXT)
        parts.append(_text(label, "label", middle, y + LINE / 2, "middle"))
        for line in tile.lines:
            y += LINE
            parts.append(_text(line, "shape", middle, y + LINE / 2, "middle"))
        if chip:
            parts.append(self._chip(tile, middle - CHIP_WIDTH / 2, y + LINE + 6))
        return "".join(parts)

    def _upright(self, tile: Tile, width: float, height: float) -> str:
        chip = self._value(tile) is not None
        top = 2 * BADGE + 12 if tile.number is not None else 8.0
        bottom = height - (CHIP + 12 if chip else 8)
        label = SEMIBOLD.shorten(tile.label, bottom - top, TEXT)
        at = f"translate({width / 2 + _BASE:.1f} {(top + bottom) / 2:.1f}) rotate(-90)"
        words = f'<text class="label" text-anchor="middle" transform="{at}">{escape(label)}</text>'
        if tile.number is not None:
            words += badge_tag(tile.number, width / 2, BADGE + 8)
        return words + (self._chip(tile, 2, bottom + 4, width - 4) if chip else "")

    def _bar(self, tile: Tile, width: float, height: float) -> str:
        return self._line(tile, width, height / 2)

    def _heads(self, tile: Tile, width: float, height: float) -> str:
        heads = tile.heads
        if heads is None:
            return ""
        top = heads.role != "query"
        strip_y = 9.0 if top else height - HEAD_HEIGHT - 10
        narrow = width < _NARROW and height > 2 * LINE + HEAD_HEIGHT + 20
        line_y = LINE / 2 + 8
        if top:
            line_y = min(height - LINE / 2 - 8, 2 * HEAD_HEIGHT + (5 if narrow else 22))
        css = "head" if heads.role == "query" else "shared"
        strips = "".join(
            f'<rect class="{css}" x="{x:.2f}" y="{strip_y:.1f}" width="{own:.2f}"'
            f' height="{HEAD_HEIGHT:g}" rx="{min(2, own / 3):.1f}"/>'
            for x, own in heads.strips(_PAD, width - 2 * _PAD)
        )
        if not narrow:
            return strips + self._line(tile, width, line_y, tile.lines[0])
        below = line_y + CHIP + 2
        words = self._line(tile, width, line_y, valued=False)
        if self._value(tile) is not None:
            words += self._chip(tile, _PAD, below - CHIP / 2)
        else:
            words += _text(tile.lines[0], "shape", _PAD, below)
        return strips + words

    def _flat(self, tile: Tile, width: float, height: float) -> str:
        whole = LINE * (1 + len(tile.lines))
        y = (height - whole) / 2 + LINE / 2
        parts = [self._line(tile, width, y)]
        for line in tile.lines:
            y += LINE
            line = REGULAR.shorten(line, width - 2 * _PAD, TEXT)
            parts.append(_text(line, "shape", _PAD, y))
        return "".join(parts)

    def _line(
        self, tile: Tile, width: float, y: float, beside: str = "", *, valued: bool = True
    ) -> str:
        """Badge and name on the left, the value or else some words on the right."""
        x = _PAD
        parts = []
        if tile.number is not None:
            parts.append(badge_tag(tile.number, x + BADGE - 2, y))
            x += 2 * BADGE + 3
        right = width - _PAD
        if valued and self._value(tile) is not None:
            parts.append(self._chip(tile, width - CHIP_WIDTH - 5, y - CHIP / 2))
            right -= CHIP_WIDTH
        else:
            words = (self._why(tile) or beside) if valued else ""
            room = right - x - SEMIBOLD.width(tile.label, TEXT) - 8
            if words and REGULAR.width(words, TEXT) <= room:
                parts.append(_text(words, "shape", right, y, "end"))
        label = SEMIBOLD.shorten(tile.label, right - x, TEXT)
        return "".join([*parts, _text(label, "label", x, y)])

    def _value(self, tile: Tile) -> BoxValue | None:
        """The value that is shown: of the weight, where it has one."""
        return next((one for one in tile.values if one.value is not None), None)

    def _why(self, tile: Tile) -> str:
        return next((one.words for one in tile.values if one.words), "")

    def _chip(self, tile: Tile, x: float, y: float, width: float = CHIP_WIDTH) -> str:
        """The change in the heatmap's colours."""
        value = self._value(tile)
        if value is None or value.value is None:
            return ""
        second = tile.group == "norm" or value.parameter != "weight"
        scale = self.scales[second]
        ground, ink = self.colours.heat(scale.heat(value.value), second=second)
        text = self.metric.number(value.value)
        unit = f" {self.metric.unit}" if self.metric.unit else ""
        if value.sign == EQUAL_SIGN:  # grey, as its cell of the heatmap: it has not moved at all
            ground, ink = self.colours.palette.panel, self.colours.palette.text
        if value.sign:
            text = value.sign
        elif SEMIBOLD.width(text + unit, TEXT) <= width - 4:
            text += unit
        if value.words == NOT_FINITE_WORDS:
            text = f"! {text}"
        text = SEMIBOLD.shorten(text, width - 2, TEXT)
        corner = f"M{x + width - _CORNER:.1f} {y:.1f}h{_CORNER}v{_CORNER}z"
        partly = f'<path d="{corner}" style="fill:{ink}"/>' if value.words == PARTLY_WORDS else ""
        return (
            f'<rect class="chip" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{CHIP:g}"'
            f' rx="3" style="fill:{ground}"/>'
            f'<text class="number" x="{x + width / 2:.1f}" y="{y + CHIP / 2 + _BASE:.1f}"'
            f' text-anchor="middle" style="fill:{ink}">{escape(text)}</text>{partly}'
        )

    def _said(self, tile: Tile) -> str:
        """What a screen reader says of a box."""
        words = [tile.node.label, tile.node.shape, tile.node.detail]
        if tile.number is not None:
            words.insert(0, f"number {tile.number}")
        for value in tile.values:
            name = f"{value.parameter}: " if len(tile.values) > 1 else ""
            if value.value is not None:
                words.append(f"{name}{self._change(value)}")
            if value.words:
                words.append(f"{name}{value.words}")
        return ", ".join(part for part in words if part)

    def _change(self, value: BoxValue) -> str:
        """The number in words, and what it leaves out."""
        words = f"{self.metric.label.lower()} {self.metric.format(value.value)}"
        if value.sign == EQUAL_SIGN:
            return f"{words}, exactly equal"
        if value.sign == FEW_SIGN:
            return f"{words}, {format_pct(value.moved_pct)} of its elements moved"
        return words

    def _tooltip(self, tile: Tile) -> str:
        """What is shown at the mouse: the stored names, the shape, the numbers."""
        lines = [value.first_names for value in tile.values]
        share = sum(value.share for value in tile.values)
        of_model = f"{format_share(share, digits=2)} of parameters" if share else ""
        lines += [part for part in (tile.node.shape, tile.node.detail, of_model) if part]
        for value in tile.values:
            if value.value is None:
                continue
            line = ", ".join(filter(None, (self._change(value), value.words)))
            line = f"{value.parameter}: {line}"
            known = [one for one in value.spread if one is not None]
            if known:
                reach = f"from {self.metric.format(min(known))} to {self.metric.format(max(known))}"
                line += f" over {len(known)} layers, {reach}"
            lines.append(line)
        return "\n".join(lines)


def badge_tag(number: int, x: float, y: float) -> str:
    """A parameter's number on its round ground."""
    return (
        f'<circle class="badge" cx="{x:.1f}" cy="{y:.1f}" r="{BADGE:g}"/>'
        f'<text class="badge-number" x="{x:.1f}" y="{y + _BASE:.1f}" text-anchor="middle">'
        f"{number}</text>"
    )


def _text(text: str, css: str, x: float, middle: float, anchor: str = "start") -> str:
    return text_tag(text, css, round(x, 1), round(middle + _BASE, 1), anchor)
