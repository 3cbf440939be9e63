"""Painting a layout as one SVG element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from modeldiff.drawings.diagram.boxes import Card, Gauge, parameter_share_text
from modeldiff.drawings.diagram.layout.canvas_columns import MARGIN, PANEL_X
from modeldiff.drawings.diagram.layout.elements import Box, Frame, Layout
from modeldiff.drawings.diagram.svg_parts import ARROWS, line_tag, style_sheet, sum_tag
from modeldiff.drawings.style.palette import CSS_PALETTE, Palette
from modeldiff.drawings.style.svg import described, escape, rectangle, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.drawings.style.value_scale import ValueScale

_LEGEND = 66.0
_CAPTION = 17.0
_HEADING = 28.0
_MARGIN = 14.0
_SCALE_WIDTH = 220.0
_NAMES_SHOWN = 3
_LONGEST_NAME = 200
# Of the marks that stand for layers beside a frame's title.
_LEAST_PITCH, _MOST_PITCH = 1.5, 7.0
_ABOUT_STRIPS = ("Numbers: all these layers together.", "Strips: a column a layer, first to last.")


@dataclass(frozen=True)
class Painter:
    """What a layout is painted with. ``legend``: the bars' scale is drawn below."""

    palette: Palette
    scale: ValueScale
    selected: str | None
    legend: bool
    font: str

    def svg(
        self, layout: Layout, label: str, title: str, caption: Sequence[str], over: str = ""
    ) -> str:
        """The whole picture; ``label`` is what it is called, ``title`` is written over it.

        ``over`` are SVG elements that are painted upon the layout, in its coordinates.
        """
        head = _HEADING if title else 0.0
        width, height = round(layout.width), round(layout.height + self.frame(title, caption))
        room = width - 2 * _MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="diagram" role="group"'
            f' viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' font-family="{escape(self.font)}" aria-label="{escape(label)}">'
            f"<style>{style_sheet(self.palette)}</style><defs>{ARROWS}</defs>"
        ]
        if self.palette is not CSS_PALETTE:
            parts.append(rectangle("ground", 0, 0, width, height, 0))
        if title:
            parts.append(text_tag(shorten(title, room, 17, bold=True), "heading", _MARGIN, 24))
        parts.append(f'<g transform="translate(0 {head:g})">')
        parts += [_panel(panel) for panel in layout.panels if panel.level != "sublayer"]
        parts += [_panel(panel) for panel in layout.panels if panel.level == "sublayer"]
        kinds = ("stream", "plain", "branch")
        parts += [
            line_tag(route) for kind in kinds for route in layout.routes if route.kind == kind
        ]
        parts += [f'<circle class="tap" cx="{x:g}" cy="{y:g}" r="3.5"/>' for x, y in layout.taps]
        parts += [sum_tag(at) for at in layout.sums]
        parts += [text_tag(text, "end", x, y, "middle") for x, y, text in layout.ends]
        parts += [self._box(box) for box in layout.boxes]
        parts += [over, "</g>"]
        y = layout.height + head
        if self.legend:
            strips = any(value.spread for box in layout.boxes for value in box.card.values)
            parts.append(self._legend(y, strips))
            y += _LEGEND
        for number, line in enumerate(caption):
            text = shorten(line, room, 13)
            parts.append(text_tag(text, "caption", _MARGIN, y + 6 + _CAPTION * number))
        return described("".join([*parts, "</svg>"]), caption)

    def frame(self, title: str, caption: Sequence[str]) -> float:
        """The height of what is written over and under a layout."""
        foot = (_LEGEND if self.legend else 0.0) + (_CAPTION * len(caption) + 6 if caption else 0)
        return (_HEADING if title else 0.0) + foot

    def _box(self, box: Box) -> str:
        card = box.card
        radius = 7.0 if card.kind == "parameters" else box.height / 2
        inner = rectangle("box", 0, 0, box.width, box.height, radius) + "".join(
            text_tag(text.text, text.css, text.x, text.y, text.anchor, text.after)
            for text in card.texts(box.width)
        )
        place = f'transform="translate({box.x:.1f} {box.y:.1f})"'
        if card.kind != "parameters":
            title = f"<title>{escape(f'{card.label} {card.detail}'.strip())}</title>"
            return f'<g class="operation {card.kind}" {place}>{title}{inner}</g>'
        inner += "".join(self._gauge(gauge) for gauge in card.gauges(box.width))
        chosen = self.selected is not None and self.selected in (
            card.node.id,
            *(f"{card.node.id}.{value.parameter}" for value in card.values),
        )
        if ".experts." in f".{card.node.id}.":
            # Many of a kind: a stack of cards.
            inner = (
                "".join(rectangle("box", n, -n, box.width, box.height, radius) for n in (6, 3))
                + inner
            )
        return (
            f'<g class="node{" selected" if chosen else ""}" {place}'
            f' data-node="{escape(card.node.id)}" role="button" tabindex="0"'
            f' aria-pressed="{str(chosen).lower()}" aria-label="{escape(self._description(card))}">'
            f"<title>{escape(self._tooltip(card))}</title>{inner}</g>"
        )

    def _gauge(self, gauge: Gauge) -> str:
        """A bar from 0, with ticks at floor and ceiling; over several layers a strip of columns."""
        value = gauge.value.value
        if value is None:
            return ""
        if gauge.value.spread:
            return self._strip(gauge)
        x, y, width, height = gauge.x, gauge.y, gauge.width, gauge.height
        parts = [rectangle("track", x, y, width, height, 2)]
        if value > 0:
            full = max(width * self.scale.position(value), 1.5)
            parts.append(rectangle("bar", x, y, full, height, 2))
        for mark in (self.scale.floor, self.scale.ceiling):
            if mark is not None and 0 < self.scale.position(mark) < 1:
                at = x + width * self.scale.position(mark)
                parts.append(f'<path class="mark" d="M{at:.1f},{y - 2:g}V{y + height + 2:g}"/>')
        return "".join(parts)

    def _strip(self, gauge: Gauge) -> str:
        """One narrow column a layer, from the first layer on the left."""
        values = gauge.value.spread
        step = gauge.width / len(values)
        gap = 1.0 if step >= 4 else 0.0
        bottom = gauge.y + gauge.height
        path = []
        for number, value in enumerate(values):
            if value:
                rise = max(gauge.height * self.scale.position(value), 0.8)
                left = gauge.x + number * step
                path.append(f"M{left:.1f},{bottom:g}v{-rise:.1f}h{step - gap:.1f}v{rise:.1f}z")
        track = rectangle("track", gauge.x, gauge.y, gauge.width, gauge.height, 1)
        lines = ""
        for mark in (self.scale.floor, self.scale.ceiling):
            rise = gauge.height * self.scale.position(mark) if mark is not None else 0.0
            if 1 <= rise < gauge.height:
                lines += f"M{gauge.x:g},{bottom - rise:.1f}h{gauge.width:.1f}"
        marks = f'<path class="level" d="{lines}"/>' if lines else ""
        return f'{track}<path class="bar" d="{"".join(path)}"/>{marks}'

    def _description(self, card: Card) -> str:
        """What a screen reader says of a box."""
        metric = self.scale.metric.label.lower()
        words = [card.label, card.node.shape, card.detail]
        for value, number in zip(card.values, card.numbers, strict=False):
            name = f"{value.parameter}: " if len(card.values) > 1 else ""
            words.append(f"{name}{metric} {number}")
        return ", ".join(part for part in words if part)

    def _tooltip(self, card: Card) -> str:
        """What is shown at the mouse: the stored names, the shape, the numbers."""
        metric = self.scale.metric
        lines = []
        for value in card.values:
            names = [name[:_LONGEST_NAME] for name in islice(value.names, _NAMES_SHOWN)]
            more = value.count - len(names)
            lines.append(", ".join(names) + (f" and {more:,} more" if more else ""))
        share = parameter_share_text(sum(value.share for value in card.values))
        lines += [part for part in (card.node.shape, card.node.detail, share) if part]
        for value, number in zip(card.values, card.numbers, strict=False):
            line = f"{value.parameter}: {metric.label.lower()} {number}"
            known = [one for one in value.spread if one is not None]
            if known:
                reach = f"from {metric.format(min(known))} to {metric.format(max(known))}"
                line += f" over {len(known)} layers, {reach}"
            lines.append(line)
        return "\n".join(lines)

    def _legend(self, y: float, strips: bool) -> str:
        """The bars' scale, and what a number and a strip over several layers are."""
        metric = self.scale.metric
        name = metric.label + (", %" if metric.unit else "")
        parts = [
            text_tag(name, "shape", _MARGIN, y + 12),
            rectangle("track", _MARGIN, y + 20, _SCALE_WIDTH, 6, 2),
        ]
        about = list(_ABOUT_STRIPS) if strips else []
        if metric.rises and metric.ceiling is not None and self.scale.ceiling is None:
            about.append(f"Unrelated weights: {metric.format(metric.ceiling)}, off this scale.")
        for number, line in enumerate(about):
            x = 2 * _MARGIN + _SCALE_WIDTH + 10
            parts.append(text_tag(line, "tick", x, y + 26 + 14 * number))
        for tick in self.scale.ticks():
            x = _MARGIN + _SCALE_WIDTH * tick.position
            parts.append(f'<path class="mark" d="M{x:.1f},{y + 18:g}V{y + 29:g}"/>')
            anchor = {0.0: "start", 1.0: "end"}.get(tick.position, "middle")
            parts += [
                text_tag(line, "tick", x, y + 41 + 12 * number, anchor)
                for number, line in enumerate(tick.text.split("\n"))
            ]
        return "".join(parts)


def _panel(panel: Frame) -> str:
    radius = {"layer": 14, "sublayer": 10, "elided": 8}[panel.level]
    frame = rectangle(panel.level, panel.x, panel.y, panel.width, panel.height, radius)
    end = panel.x + panel.width - _MARGIN
    if panel.level == "sublayer":
        title = shorten(panel.title, panel.width - 2 * _MARGIN, 13, bold=True)
        return frame + text_tag(title, "subtitle", end, panel.y + 20, "end")
    start = panel.x + PANEL_X - MARGIN
    if panel.level == "elided":
        title = shorten(panel.title, end - start, 13)
        return frame + text_tag(title, "aside", start, panel.y + 16.5)
    title = shorten(panel.title, end - start, 15, bold=True)
    titled = start + text_width(title, 15, bold=True) + 16
    aside = shorten(panel.aside, max(end - titled - 4, 0), 13)
    return (
        frame
        + text_tag(title, "title", start, panel.y + 23)
        + _among(panel.among, titled, end - text_width(aside, 13) - 16, panel.y + 11)
        + text_tag(aside, "aside", end, panel.y + 23, "end")
    )


def _among(layers: Sequence[bool], left: float, right: float, y: float) -> str:
    """A mark a layer, from the first, those of the frame in colour; nothing where all are or no
    room is."""
    pitch = min(_MOST_PITCH, (right - left) / len(layers)) if layers else 0.0
    if pitch < _LEAST_PITCH:
        return ""
    width = pitch - min(1.0, pitch / 3)
    path = ["", ""]
    for number, own in enumerate(layers):
        path[own] += f"M{left + number * pitch:.1f},{y:g}h{width:.2f}v12h-{width:.2f}z"
    return f'<path class="others" d="{path[0]}"/><path class="own" d="{path[1]}"/>'
