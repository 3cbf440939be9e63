"""What is written over and beside the heatmap's cells: layers' numbers on both sides, components'
names, and where their own scales end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modeldiff.drawings.heatmap.lines import ComponentLine, LayerLine, Lines
from modeldiff.drawings.heatmap.names import clip, outside_name, reach_of, shortest_names
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.heatmap.readings import Reading
from modeldiff.drawings.heatmap.svg.cell_tags import BASELINE
from modeldiff.drawings.heatmap.svg.layout import HeatmapLayout, text_room
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.drawings.style.text_metrics import shorten, text_width

_STEPS = (1, 2, 4, 5, 10, 20, 50, 100, 1000)
_BETWEEN = 6.0
"""Pixels that two numbers keep apart."""
_LABEL_GAP = 10.0
_MOST_UPRIGHT = 18


def label_room(lines: Lines, size: HeatmapSize, reaches: Mapping[str, str]) -> float:
    """The width of what stands beside the rows."""
    if size.across:
        names = [_with_reach(line, reaches) for line in lines.components]
        corner = ["target"] if lines.renumbered else ["layer"] if lines.layers else []
        margin = [_whole(lines)] if size.margins else []
    else:
        names = [_layer_text(line) for line in lines.layers]
        corner, margin = ["layer"], ["all layers"] if size.margins else []
    wide = text_room([*names, *corner, *margin], size.font)
    return round(min(wide, 0.3 * size.width)) + _LABEL_GAP if lines.layers else 0.0


def header_room(
    lines: Lines, size: HeatmapSize, column: float, reaches: Mapping[str, str]
) -> float:
    """The height of what stands over the columns, each of ``column`` pixels."""
    font = size.font
    experts = 1.4 * font if lines.experts else 0.0
    if size.across:
        above = bool(reaches) and bool(lines.before or lines.after)
        return experts + (2.75 if lines.renumbered or above else 1.35) * font
    names, upright = _column_names(lines, size, column)
    if upright:
        names = [
            f"{name} {_reach(line, reaches)}"
            for name, line in zip(names, lines.components, strict=True)
        ]
        return experts + text_room(names, font) + 8
    return experts + (2.75 if reaches else 1.35) * font


def headings(
    lines: Lines,
    layout: HeatmapLayout,
    size: HeatmapSize,
    readings: Sequence[Reading],
    reaches: Mapping[str, str],
) -> tuple[str, str]:
    """What stands over the columns, and what beside the rows."""
    if not lines.layers:
        return "", ""
    over = "".join(_over(lines, layout, size, readings, reaches))
    if lines.experts:
        y = layout.grid.y - layout.header + size.font
        words = f"experts of {lines.components[0].column}"
        over += text_tag(shorten(words, layout.grid.width, size.font), "muted", layout.grid.x, y)
    return over, "".join(_beside(lines, layout, size, reaches))


def _over(
    lines: Lines,
    layout: HeatmapLayout,
    size: HeatmapSize,
    readings: Sequence[Reading],
    reaches: Mapping[str, str],
) -> Iterator[str]:
    font, last = size.font, layout.grid.y - 0.4 * size.font
    corner = layout.grid.x - _LABEL_GAP
    if not size.across:
        yield text_tag("layer", "muted", corner, last, "end")
        yield from _names_over(lines, layout, size, reaches)
        return
    beside_names = label_room(lines, size, reaches) - _LABEL_GAP
    if lines.renumbered:
        yield text_tag("base", "muted", beside_names, last - 1.35 * font, "end")
        yield text_tag("target", "muted", beside_names, last, "end")
    else:
        yield text_tag("layer", "muted", beside_names, last, "end")
    yield from _layer_numbers(lines, layout, size, last)
    if layout.at_sides:
        for at in (*lines.before, *lines.after):
            box = layout.boxes[at]
            cell, middle = readings[at].cell, box.x + box.width / 2
            reach = reach_of(cell.column, cell.part, reaches)
            name = shorten(outside_name(cell.column), box.width + 4, font)
            yield text_tag(name, "muted", middle, last - (1.35 * font if reach else 0), "middle")
            if reach:
                yield text_tag(reach, "muted", middle, last, "middle")


def _layer_numbers(
    lines: Lines, layout: HeatmapLayout, size: HeatmapSize, last: float
) -> Iterator[str]:
    font = size.font
    for at in _shown(lines, layout, font):
        line, (x, x2) = lines.layers[at], layout.layers[at]
        middle, (base, target) = (x + x2) / 2, line.numbers
        if not lines.renumbered:
            yield text_tag(str(base), "muted", middle, last, "middle")
            continue
        if base is not None:
            yield text_tag(str(base), "muted", middle, last - 1.35 * font, "middle")
        if target is not None:
            css = "muted" if target == base else "moved"
            yield text_tag(str(target), css, middle, last, "middle")


def _shown(lines: Lines, layout: HeatmapLayout, font: float) -> Sequence[int]:
    """The layers whose numbers have room: every so many, and the last."""
    count = len(lines.layers)
    width = layout.layers[0][1] - layout.layers[0][0]
    widest = text_width(str(count - 1), font, bold=lines.renumbered) + _BETWEEN
    step = next((step for step in _STEPS if step * width >= widest), count)
    shown = list(range(0, count, step))
    if step > 1 and (count - 1 - shown[-1]) * width >= widest:
        shown.append(count - 1)
    return shown


def _names_over(
    lines: Lines, layout: HeatmapLayout, size: HeatmapSize, reaches: Mapping[str, str]
) -> Iterator[str]:
    font, last = size.font, layout.grid.y - 0.4 * size.font
    start, end = layout.components[0]
    names, upright = _column_names(lines, size, end - start)
    step = 1
    if lines.experts:
        widest = text_width(names[-1], font) + _BETWEEN
        step = next((step for step in _STEPS if step * (end - start) >= widest), len(names))
    if upright and not lines.experts and end - start < font:
        return
    for at in range(0, len(names), step):
        line, (x, x2) = lines.components[at], layout.components[at]
        middle, reach = (x + x2) / 2, _reach(line, reaches)
        if upright:
            words = f"{names[at]} {reach}".strip()
            yield (
                f'<text class="muted" transform="translate({middle + BASELINE * font:.1f}'
                f' {last:.1f}) rotate(-90)">{escape(words)}</text>'
            )
            continue
        yield text_tag(names[at], "muted", middle, last - (1.35 * font if reaches else 0), "middle")
        if reach:
            yield text_tag(reach, "muted", middle, last, "middle")


def _column_names(lines: Lines, size: HeatmapSize, column: float) -> tuple[list[str], bool]:
    """The components' names, as long as columns of this width allow, and whether they are upright
    because not even the shortest fit."""
    names = [line.name for line in lines.components]
    if lines.experts:
        return names, False
    for attempt in (names, shortest_names(names)):
        if text_room(attempt, size.font) + 2 <= column:
            return attempt, False
    return [clip(name, _MOST_UPRIGHT) for name in names], True


def _beside(
    lines: Lines, layout: HeatmapLayout, size: HeatmapSize, reaches: Mapping[str, str]
) -> Iterator[str]:
    font = size.font
    right = label_room(lines, size, reaches) - _LABEL_GAP
    spans = layout.components if size.across else layout.layers
    counted = lines.experts or not size.across
    high = min((end - start for start, end in spans), default=font)
    step = 1 if not counted else next((s for s in _STEPS if s * high >= font), 1)
    done: set[float] = set()
    for at in range(0, len(spans), step):
        start, end = spans[at]
        y = (start + end) / 2 + BASELINE * font
        if size.across:
            line = lines.components[at]
            if end - start >= 0.75 * font or counted:
                yield _component_label(line, right, y, reaches)
        elif lines.layers[at].has_cells and start not in done:
            yield _layer_label(lines.layers[at], right, y)
        done.add(start)


def _component_label(
    line: ComponentLine, right: float, y: float, reaches: Mapping[str, str]
) -> str:
    reach = _reach(line, reaches)
    more = f'<tspan class="muted" dx="5">{escape(reach)}</tspan>' if reach else ""
    return f'<text x="{right:g}" y="{y:.1f}" text-anchor="end">{escape(line.name)}{more}</text>'


def _layer_label(line: LayerLine, right: float, y: float) -> str:
    base, target = line.numbers
    if base == target:
        return text_tag(str(base), "muted", right, y, "end")
    return (
        f'<text class="muted" x="{right:g}" y="{y:.1f}" text-anchor="end">'
        f'<tspan class="moved">{target}</tspan> ← {base}</text>'
    )


def _layer_text(line: LayerLine) -> str:
    base, target = line.numbers
    return str(base) if base == target or not line.has_cells else f"{target} ← {base} "


def _reach(line: ComponentLine, reaches: Mapping[str, str]) -> str:
    return reach_of(line.column, line.part, reaches)


def _with_reach(line: ComponentLine, reaches: Mapping[str, str]) -> str:
    return f"{line.name}  {_reach(line, reaches)}".strip()


def _whole(lines: Lines) -> str:
    return "all experts" if lines.experts else "whole layer"
