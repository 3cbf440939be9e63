"""Painting a line of models: one stack for a card, or all of them in a row with what changed."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures.facts.diagram_anchors import in_brief
from modeldiff.architectures.facts.lineage import LineageStep
from modeldiff.drawings.comparison.lineage import Chip, LineKind, StackLine
from modeldiff.drawings.comparison.notes_column import wrapped
from modeldiff.drawings.style.palette import CSS_PALETTE, FILE_FONT, Palette
from modeldiff.drawings.style.svg import described, escape, rectangle, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width

WIDTH = 284.0
_STREAM, _PANEL, _LEFT = 15.0, 32.0, 40.0
_RIGHT = WIDTH - 16
_CHIP, _APART = 27.0, 6.0
_LABEL, _VALUE = 12.0, 11.0
_HEIGHTS: dict[LineKind, float] = {
    "input": 22,
    "row": _CHIP + _APART,
    "frame": 8,
    "sublayer": 9,
    "end of sublayer": 27,
    "end of frame": 30,
}
_SIGNS = {"only": "+", "built": "≠"}
_MARGIN, _GUTTER = 16.0, 26.0
_HEAD, _CAPTION, _TITLE = 50.0, 17.0, 30.0
_MOST_CHANGES = 9


def stack_svg(
    lines: Sequence[StackLine], number: int, *, name: str, palette: Palette, font: str = FILE_FONT
) -> str:
    """The stack of one model as an SVG element. ``name`` is what it is called."""
    height = sum(_HEIGHTS[line.kind] for line in lines)
    return _svg(WIDTH, height, name, palette, font, _stack(lines, number, height))


def stacks_svg(
    lines: Sequence[StackLine],
    steps: Sequence[LineageStep],
    names: Sequence[str],
    *,
    palette: Palette,
    font: str = FILE_FONT,
    title: str = "",
    caption: Sequence[str] = (),
) -> str:
    """All stacks in a row, each over what changed from the one before it, for a file."""
    top = (_TITLE if title else 0.0) + _MARGIN
    tall = sum(_HEIGHTS[line.kind] for line in lines)
    changes = [_change_lines(step) for step in steps]
    below = max((len(each) for each in changes), default=0) * _CAPTION + 12
    width = 2 * _MARGIN + len(steps) * (WIDTH + _GUTTER) - _GUTTER
    height = top + _HEAD + tall + 18 + below + _CAPTION * len(caption) + _MARGIN
    parts = [text_tag(shorten(title, width - 2 * _MARGIN, 17, bold=True), "heading", _MARGIN, 30)]
    for number, (step, name) in enumerate(zip(steps, names, strict=True)):
        x = _MARGIN + number * (WIDTH + _GUTTER)
        parts += [
            f'<g transform="translate({x:g} {top:g})">',
            text_tag(shorten(step.architecture.title, WIDTH, 12), "quiet", 0, 12),
            text_tag(shorten(name, WIDTH, 17, bold=True), "heading", 0, 33),
            f'<g transform="translate(0 {_HEAD:g})">{_stack(lines, number, tall)}</g>',
            *(
                text_tag(text, css, 0, _HEAD + tall + 24 + _CAPTION * row)
                for row, (text, css) in enumerate(changes[number])
            ),
            "</g>",
        ]
    y = height - _MARGIN - _CAPTION * len(caption) + 10
    parts += [
        text_tag(shorten(line, width - 2 * _MARGIN, 11), "quiet", _MARGIN, y + _CAPTION * row)
        for row, line in enumerate(caption)
    ]
    svg = _svg(width, height, title or "A line of models", palette, font, "".join(parts))
    return described(svg, caption)


def _svg(width: float, height: float, name: str, palette: Palette, font: str, inner: str) -> str:
    ground = "" if palette is CSS_PALETTE else rectangle("ground", 0, 0, width, round(height), 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="stacks" role="img"'
        f' viewBox="0 0 {width:g} {height:.0f}" width="{width:g}" height="{height:.0f}"'
        f' font-family="{escape(font)}" aria-label="{escape(name)}">'
        f"<style>{_style_sheet(palette)}</style>{ground}{inner}</svg>"
    )


def _style_sheet(palette: Palette) -> str:
    p = palette
    rules = {
        "text": f"fill:{p.text};font-size:12px",
        ".ground": f"fill:{p.surface}",
        ".heading": "font-size:17px;font-weight:700",
        ".quiet": f"fill:{p.muted}",
        ".told": "font-weight:600",
        ".frame": f"fill:none;stroke:{p.line};stroke-width:1.4",
        ".sublayer": f"fill:{p.panel}",
        ".stream": f"fill:none;stroke:{p.accent};stroke-width:3.4",
        ".branch": f"fill:none;stroke:{p.accent};stroke-width:1.5",
        ".tip": f"fill:{p.accent}",
        ".sum": f"fill:{p.surface};stroke:{p.accent};stroke-width:1.7",
        ".chip": f"fill:{p.surface};stroke:{p.line};stroke-width:1.1",
        ".number .chip": f"stroke:{p.bar};stroke-width:1.5",
        ".built .chip": f"stroke:{p.bar};stroke-width:2.6",
        ".only .chip": f"stroke:{p.bar};stroke-width:2.6",
        ".gone .chip": f"fill:none;stroke:{p.muted};stroke-width:1;stroke-dasharray:3 3",
        ".label": "font-weight:700",
        ".value": f"font-size:11px;font-weight:400;fill:{p.muted}",
        ".gone .label": f"font-weight:400;font-style:italic;fill:{p.muted}",
        ".flag": f"fill:{p.bar};stroke:{p.surface};stroke-width:1.2",
        ".sign": f"font-size:11px;font-weight:700;fill:{p.surface}",
        ".layers": "font-size:13px;font-weight:700",
        ".name": f"font-size:11px;font-weight:600;fill:{p.muted}",
        ".changed": f"fill:{p.bar};font-weight:700",
    }
    return "".join(f".stacks {name}{{{rule}}}" for name, rule in rules.items())


def _stack(lines: Sequence[StackLine], number: int, height: float) -> str:
    """One model's column; ``height`` is of all lines together."""
    back: list[str] = []
    front: list[str] = []
    opened: dict[LineKind, float] = {}
    ends: list[float] = []
    y = height
    for line in lines:
        bottom, y = y, y - _HEIGHTS[line.kind]
        chips, text, changed = line.chips[number], line.titles[number], line.changed[number]
        css = " changed" if changed else ""
        if line.kind == "row" and chips:
            ends.append(y + _APART + _CHIP / 2)
            front.append(_chips(chips, y + _APART))
        elif line.kind == "input" and text:
            front.append(text_tag(text, f"name{css}", _LEFT, y + 15))
        elif line.kind in ("frame", "sublayer"):
            opened[line.kind] = bottom
        elif line.kind == "end of sublayer" and text:
            low = opened["sublayer"]
            back.append(rectangle("sublayer", _PANEL, y + 4, WIDTH - _PANEL - 8, low - y - 4, 7))
            front.append(text_tag(text, "name", _RIGHT, y + 18, "end"))
            front.append(_branch(y + 14, low - 7))
        elif line.kind == "end of frame" and text:
            low = opened["frame"]
            back.insert(0, rectangle("frame", 0.7, y + 7, WIDTH - 1.4, low - y - 7, 10))
            title = shorten(text, _RIGHT - _PANEL, 13, bold=True)
            front.append(text_tag(title, f"layers{css}", _PANEL, y + 25))
    stream = ""
    if len(ends) > 1:
        path = f"M{_LEFT:g},{ends[0]:g}H{_STREAM:g}V{ends[-1]:g}H{_LEFT:g}"
        stream = f'<path class="stream" d="{path}" stroke-linejoin="round"/>'
    return "".join([*back, stream, *front])


def _branch(top: float, bottom: float) -> str:
    """A sublayer reads the stream at its lower edge, and what it adds joins at its upper one."""
    end = _PANEL + 6
    return (
        f'<path class="branch" d="M{_STREAM:g},{bottom:g}H{end - 5:g}"/>'
        f'<path class="tip" d="M{end:g},{bottom:g}l-6,-3.4v6.8z"/>'
        f'<path class="branch" d="M{end:g},{top:g}H{_STREAM:g}"/>'
        f'<circle class="sum" cx="{_STREAM:g}" cy="{top:g}" r="7"/>'
        f'<path class="branch" d="M{_STREAM - 3.5:g},{top:g}h7M{_STREAM:g},{top - 3.5:g}v7"/>'
    )


def _chips(chips: Sequence[Chip], y: float) -> str:
    """A row of chips that fills the room, as wide as their words ask for as far as there is any."""
    room = _RIGHT - _LEFT - _APART * (len(chips) - 1)
    widths = [text_width(_label(chip), _LABEL, bold=True) + 16 for chip in chips]
    values = [6 + text_width(chip.value, _VALUE) if chip.value else 0.0 for chip in chips]
    # The shortest values first: a long one is cut where there is no room for all.
    for number in sorted(range(len(chips)), key=lambda number: values[number]):
        widths[number] += min(values[number], max(room - sum(widths), 0.0))
    spare = (room - sum(widths)) / len(chips)
    if spare < 0:
        widths = [width * room / sum(widths) for width in widths]
    parts = []
    x = _LEFT
    for chip, width in zip(chips, widths, strict=True):
        width += max(spare, 0.0)
        parts.append(_chip(chip, round(x, 1), y, round(width, 1)))
        x += width + _APART
    return "".join(parts)


def _label(chip: Chip) -> str:
    return f"no {chip.label}" if chip.gone else chip.label


def _chip(chip: Chip, x: float, y: float, width: float) -> str:
    css = "gone" if chip.gone else chip.mark or "same"
    label = shorten(_label(chip), width - 10, _LABEL, bold=True)
    left = width - 20 - text_width(label, _LABEL, bold=True)
    parts = chip.value.split(", ")
    # Half a number says nothing: what has no room is left out whole.
    while parts and text_width(", ".join(parts), _VALUE) > left:
        parts.pop()
    value = ", ".join(parts)
    after = f'<tspan class="value" dx="6">{escape(value)}</tspan>' if value else ""
    sign = "" if chip.gone or chip.mark is None else _SIGNS.get(chip.mark, "")
    flag = (
        f'<circle class="flag" cx="{x + width - 2:.1f}" cy="{y + 1:g}" r="7.5"/>'
        + text_tag(sign, "sign", round(x + width - 2, 1), y + 5, "middle")
        if sign
        else ""
    )
    return (
        f'<g class="{css}"><title>{escape(chip.title)}</title>'
        + rectangle("chip", x, y, width, _CHIP, 6)
        + f'<text class="label" x="{x + width / 2:.1f}" y="{y + 17.5:g}" text-anchor="middle">'
        f"{escape(label)}{after}</text>{flag}</g>"
    )


def _change_lines(step: LineageStep) -> list[tuple[str, str]]:
    """What changed, in lines with their classes."""
    if step.before is None:
        return []
    lines: list[tuple[str, str]] = []
    for pair in step.telling[:_MOST_CHANGES]:
        words = f"{pair.label}: {' → '.join(in_brief(pair))}"
        lines += [(text, "told") for text in wrapped(words, WIDTH, 12, most=2, bold=True)]
    more = len(step.telling) + len(step.rest) - len(step.telling[:_MOST_CHANGES])
    if not step.telling and not step.rest:
        lines.append(("Built the same", "told"))
    lines.append(
        (f"{more} more, {step.same} the same" if more else f"{step.same} the same", "quiet")
    )
    return lines
