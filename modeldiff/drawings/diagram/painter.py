"""Painting a layout, whose data runs upward, as one SVG element."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.canvas_columns import MARGIN, PANEL_X
from modeldiff.drawings.diagram.layout.elements import Box, Frame, Layout
from modeldiff.drawings.diagram.svg_parts import ARROWS, line_tag, style_sheet, sum_tag
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape, rectangle, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.processes.late_dataclass import dataclass

_MARGIN = 14.0
# Of the marks that stand for layers beside a frame's title.
_LEAST_PITCH, _MOST_PITCH = 1.5, 7.0


@dataclass(frozen=True)
class Painter:
    """What a layout is painted with. ``selected`` is a component."""

    palette: Palette
    selected: str | None
    font: str

    def svg(self, layout: Layout, label: str, over: str) -> str:
        """The whole picture; ``label`` is what it is called, ``over`` are SVG elements that are
        painted upon the layout, in its coordinates."""
        width, height = round(layout.width), round(layout.height)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="diagram" role="group"'
            f' viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' font-family="{escape(self.font)}" aria-label="{escape(label)}">'
            f"<style>{style_sheet(self.palette)}</style><defs>{ARROWS}</defs>"
        ]
        if not self.palette.follows_theme:
            parts.append(rectangle("ground", 0, 0, width, height, 0))
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
        return "".join([*parts, over, "</svg>"])

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
        chosen = self.selected == card.node.id
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

    def _description(self, card: Card) -> str:
        """What a screen reader says of a box."""
        return ", ".join(part for part in (card.label, card.node.shape, card.detail) if part)

    def _tooltip(self, card: Card) -> str:
        """What is shown at the mouse: the stored names, the shape, what it means."""
        lines = (*(one.first_names for one in card.values), card.node.shape, card.node.detail)
        return "\n".join(part for part in lines if part)


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
