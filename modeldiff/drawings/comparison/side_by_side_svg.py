"""Painting two models side by side: their drawing, with outlines, notes and named gaps upon it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from modeldiff.drawings.comparison.difference_marks import Mark
from modeldiff.drawings.comparison.notes_column import GUTTER, note_lines, notes_height, wrapped
from modeldiff.drawings.comparison.row_alignment import Gap, Slot, Span
from modeldiff.drawings.comparison.side_by_side import SideBySide
from modeldiff.drawings.diagram.layout.canvas_columns import MARGIN, PANEL_X
from modeldiff.drawings.diagram.layout.elements import Frame, Layout
from modeldiff.drawings.diagram.painter import Painter
from modeldiff.drawings.style.palette import FILE_FONT, Palette
from modeldiff.drawings.style.svg import escape, rectangle, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width

_MARGIN = 14.0
_FOOT = 44.0
_FLAG = 9.0
_GAP, _GAP_TEXT, _GAP_LINE = 34.0, 13.0, 15.0
_SIGNS = {"only": ("−", "+"), "built": ("≠", "≠")}


def side_by_side_svg(
    drawing: SideBySide,
    names: tuple[str, str],
    *,
    palette: Palette,
    selected: str | None = None,
    font: str = FILE_FONT,
) -> str:
    """The drawing as one SVG element; ``names`` are both models' references.

    Boxes carry their component in ``data-node``, on both sides; ``selected`` is one of them.
    """
    over = [f"<style>{_style_sheet(palette)}</style>"]
    for left, layout, role, model, name in zip(
        drawing.lefts, drawing.sides, ("Base", "Target"), drawing.titles, names, strict=True
    ):
        over.append(_heading(left, layout.width, role, model, name))
    over += [_gap(drawing, gap) for gap in drawing.gaps]
    over += [_outline(drawing, *key, mark) for key, mark in drawing.differences.boxes.items()]
    over += [_counts(drawing, slot) for slot in drawing.slots]
    over += [_notes(drawing, number) for number in drawing.differences.notes]
    layout = drawing.layout
    foot = _FOOT if drawing.differences.boxes else 0.0
    if foot:
        over.append(_legend(layout.height, drawing.differences.boxes.values()))
    painter = Painter(palette, selected, font)
    label = f"{names[0]} and {names[1]} side by side"
    return painter.svg(replace(layout, height=layout.height + foot), label, "".join(over))


def _style_sheet(palette: Palette) -> str:
    p = palette
    outline = f"fill:none;stroke:{p.accent};pointer-events:none"
    rules = {
        # The accent says here what differs: the residual stream is quiet.
        **dict.fromkeys((".stream", ".branch", ".sum", ".plus"), f"stroke:{p.muted}"),
        **dict.fromkeys((".head-stream", ".head-branch", ".tap"), f"fill:{p.muted}"),
        ".built": f"{outline};stroke-width:3",
        ".only": f"{outline};stroke-width:3",
        ".number": f"{outline};stroke-width:1.6",
        ".lacks": f"{outline};stroke-width:3",
        ".flag": f"fill:{p.accent};stroke:{p.surface};stroke-width:1.5;pointer-events:none",
        ".flag-sign": f"fill:{p.surface};font-size:13px;font-weight:700;pointer-events:none",
        ".gap": f"fill:none;stroke:{p.muted};stroke-width:1;stroke-dasharray:3 4",
        ".gap-name": f"font-size:13px;font-style:italic;fill:{p.muted}",
        ".role": f"font-size:13px;font-weight:600;fill:{p.muted}",
        ".model": "font-size:18px;font-weight:700",
        ".note-label": f"font-size:13px;fill:{p.muted}",
        ".note": "font-size:13px;font-weight:700",
        ".rule": f"stroke:{p.accent};stroke-width:1.4",
    }
    return "".join(f".diagram {name}{{{rule}}}" for name, rule in rules.items())


def _heading(left: float, width: float, role: str, model: str, name: str) -> str:
    x, room = left + _MARGIN, width - 2 * _MARGIN
    return text_tag(shorten(f"{role} · {model}", room, 13, bold=True), "role", x, 18) + text_tag(
        shorten(name, room, 18, bold=True), "model", x, 40
    )


def _outline(drawing: SideBySide, side: int, number: int, id: str, mark: Mark) -> str:
    """An outline upon a box, with a sign at its corner where more than numbers differ."""
    box = next(
        box
        for box in drawing.sides[side].boxes
        if box.card.node.id == id and _within(drawing.placed[number], box.y)
    )
    x = box.x + drawing.lefts[side]
    radius = 7.0 if box.card.kind == "parameters" else box.height / 2
    outline = (
        f'<rect class="{mark}" x="{x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
        f' height="{box.height:.1f}" rx="{radius:g}"/>'
    )
    signs = _SIGNS.get(mark)
    return outline + (_flag(x + box.width - 3, box.y + 1, signs[side]) if signs else "")


def _counts(drawing: SideBySide, slot: Slot) -> str:
    """An outline around how many layers a frame stands for, where its counterpart has others."""
    if len({frame.title for frame in slot.frames}) < 2:
        return ""
    outlines = []
    for panel, left, layout in zip(slot.panels, drawing.lefts, drawing.sides, strict=True):
        placed = next((p for p in layout.panels if panel and _same(p, panel)), None)
        if placed is not None:
            x = left + placed.x + PANEL_X - MARGIN - 8
            width = min(text_width(placed.title, 15, bold=True), placed.width - PANEL_X) + 16
            outlines.append(rectangle("number", round(x, 1), round(placed.y + 6, 1), width, 24, 7))
    return "".join(outlines)


def _same(one: Frame, other: Frame) -> bool:
    """Whether two are one panel, before and after it was stretched."""
    return (one.level, one.title, one.aside) == (other.level, other.title, other.aside)


def _flag(x: float, y: float, sign: str) -> str:
    return f'<circle class="flag" cx="{x:.1f}" cy="{y:.1f}" r="{_FLAG:g}"/>' + text_tag(
        sign, "flag-sign", round(x, 1), round(y + 4.5, 1), "middle"
    )


def _within(span: Span, y: float) -> bool:
    return span[0] - 0.5 <= y < span[1] + 0.5


def _notes(drawing: SideBySide, number: int) -> str:
    """The notes of a row in the middle, with a rule to either side of the first."""
    notes = drawing.differences.notes[number]
    top, bottom = drawing.placed[number]
    y = (top + bottom - notes_height(notes)) / 2
    left = drawing.sides[0].width
    middle = left + GUTTER / 2
    parts = []
    for note, lines in zip(notes, note_lines(notes), strict=True):
        texts = "".join(
            text_tag(line.text, line.css, middle, round(y + line.y, 1), "middle") for line in lines
        )
        parts.append(f"<g><title>{escape(note.meaning or note.words)}</title>{texts}</g>")
    return "".join(parts)


def _gap(drawing: SideBySide, gap: Gap) -> str:
    """A dashed place where one side has nothing, with the name of what is not there."""
    layout, left = drawing.sides[gap.side], drawing.lefts[gap.side]
    top, bottom = drawing.placed[gap.first][0], drawing.placed[gap.last][1]
    boxes = drawing.slots[gap.first].boxes[1 - gap.side]
    labels = [box.card.label for box in boxes if box.card.kind != "symbol"]
    if gap.panel is None and not labels:
        return ""
    name = ", ".join(labels)
    if gap.panel is not None:
        name = "such layers" if gap.panel.level == "layer" else gap.panel.title
    name = f"in “{gap.elsewhere}”" if gap.elsewhere else f"no {name}"
    ideal = text_width(name, _GAP_TEXT) + 24
    x, y, width = _free(layout, top, bottom, ideal)
    lines = wrapped(name, width - 12, _GAP_TEXT, most=2)
    first = y + 4 - _GAP_LINE * (len(lines) - 1) / 2
    middle = round(left + x + width / 2, 1)
    return rectangle("gap", round(left + x, 1), round(y - _GAP / 2, 1), width, _GAP, 7) + "".join(
        text_tag(line, "gap-name", middle, round(first + _GAP_LINE * number, 1), "middle")
        for number, line in enumerate(lines)
    )


def _free(layout: Layout, top: float, bottom: float, ideal: float) -> tuple[float, float, float]:
    """A place between ``top`` and ``bottom`` that no line runs through: x, middle and width.

    The nearest to the middle of the column that is ``ideal`` pixels wide, else the widest.
    """
    panel = next((p for p in layout.panels if p.level == "sublayer"), None)
    low, high = (panel.x + 8, panel.x + panel.width - 8) if panel else (8.0, layout.width - 8)
    room = max(bottom - top - _GAP, 0.0)
    places = []
    for share in (0.5, 0.35, 0.65, 0.2, 0.8, 0.0, 1.0):
        y = top + (bottom - top - room) / 2 + room * share
        lines = {low - 6, high + 6}
        for route in layout.routes:
            for (x, y1), (x2, y2) in pairwise(route.points):
                if max(y1, y2) > y - _GAP / 2 and min(y1, y2) < y + _GAP / 2:
                    lines |= {at for at in (x, x2) if low < at < high}
        for start, end in pairwise(sorted(lines)):
            width = min(end - start - 12, ideal)
            x = min(max((low + high - width) / 2, start + 6), end - 6 - width)
            off = abs(x + width / 2 - (low + high) / 2)
            places.append((width < ideal, -width, off > 60 and off, abs(share - 0.5), x, y, width))
    x, y, width = min(places)[-3:]
    return x, y, width


def _legend(y: float, marks: Sequence[Mark] | object) -> str:
    """What the outlines and signs say."""
    return text_tag(
        "Outlined: thick where built otherwise (≠) or on one side only (− base, + target), "
        "thin where only numbers differ.",
        "caption",
        _MARGIN,
        y + 26,
    )
