"""The heatmap's margins: each layer's and each component's own number, with a bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modeldiff.drawings.heatmap.faces import short_number
from modeldiff.drawings.heatmap.lines import Lines
from modeldiff.drawings.heatmap.marks import FEW_MOVED, MARKS, SAME
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.heatmap.readings import Reading
from modeldiff.drawings.heatmap.svg.cell_groups import CellGroups
from modeldiff.drawings.heatmap.svg.cell_tags import BASELINE
from modeldiff.drawings.heatmap.svg.layout import CellBox, HeatmapLayout, margin_width
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.svg import text_tag
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.processes.late_dataclass import dataclass

_BAR = 4.0
_LEAST_BAR = 1.0


@dataclass(frozen=True)
class _Number:
    """What a margin's cell shows: the words, perhaps more below them, and how long its bar is."""

    words: str
    below: str
    share: float


def margins(
    lines: Lines,
    layout: HeatmapLayout,
    size: HeatmapSize,
    readings: Sequence[Reading],
    metric: Metric,
    *,
    groups: CellGroups,
) -> Iterator[tuple[int, str]]:
    """The tag of each margin's cell, by its reading's position, and of their headings under -1."""
    if layout.beside is None or layout.below is None:
        return
    layers = [at for (layer, key), at in lines.cells.items() if key is None and at in layout.boxes]
    components = [
        at for (layer, key), at in lines.cells.items() if layer is None and at in layout.boxes
    ]
    beside, below = (components, layers) if size.across else (layers, components)
    whole = "all experts" if lines.experts else "whole layer"
    names = ("all layers", whole) if size.across else ("whole", "all layers")
    in_shares = _only_shares(readings, below)
    heading = layout.grid.y - 0.4 * size.font
    yield -1, text_tag(names[0], "muted", layout.beside[1], heading, "end")
    last = layout.below[0] + size.font
    under = "% moved" if in_shares else names[1]
    yield -1, text_tag(under, "", layout.grid.x - 10 - _shift(layout, lines), last, "end")
    digits = _digits_beside(readings, beside, metric, size)
    for at, number in _numbers(
        readings, beside, metric, digits=digits, shares=False, below=False
    ).items():
        tag = _beside(number, layout.boxes[at], size, _colour(readings[at]))
        yield at, _group(at, tag, layout.boxes[at], readings[at], groups)
    for at, number in _numbers(
        readings, below, metric, digits=2, shares=in_shares, below=True
    ).items():
        tag = _below(number, layout.boxes[at], size, _colour(readings[at]))
        yield at, _group(at, tag, layout.boxes[at], readings[at], groups)


def _digits_beside(
    readings: Sequence[Reading], positions: Sequence[int], metric: Metric, size: HeatmapSize
) -> int:
    """Three, if numbers of so many have room beside the rows, else two."""
    values = [value for at in positions if (value := readings[at].value) is not None]
    widest = max((text_width(short_number(v, metric, 3), size.font) for v in values), default=0.0)
    return 3 if widest <= margin_width(size) else 2


def _shift(layout: HeatmapLayout, lines: Lines) -> float:
    """How far the grid begins beyond the rows' names: the tensors before the layers."""
    if not layout.at_sides or not lines.before:
        return 0.0
    return layout.grid.x - layout.boxes[lines.before[0]].x


def _colour(reading: Reading) -> str:
    if reading.cell.region == "layer":
        return "change"
    return "heat" if reading.cell.kind == "matrices" else "second"


def _only_shares(readings: Sequence[Reading], positions: Sequence[int]) -> bool:
    """Whether some of these moved, and no number shows it."""
    marks = {readings[at].mark for at in positions}
    return FEW_MOVED in marks and all(not readings[at].value for at in positions)


def _numbers(
    readings: Sequence[Reading],
    positions: Sequence[int],
    metric: Metric,
    *,
    digits: int,
    shares: bool,
    below: bool,
) -> Mapping[int, _Number]:
    longest: dict[str, float] = {}
    for at in positions:
        colour = _colour(readings[at])
        longest[colour] = max(longest.get(colour, 0.0), _change(readings[at], metric, shares))
    return {
        at: _number(
            readings[at], metric, longest[_colour(readings[at])], digits, shares=shares, below=below
        )
        for at in positions
    }


def _change(reading: Reading, metric: Metric, shares: bool) -> float:
    """How far a bar reaches, also of a number that falls with change."""
    if shares:
        return reading.moved or 0.0
    if reading.value is None:
        return 0.0
    return reading.value if metric.rises else (metric.limit or 0.0) - reading.value


def _number(
    reading: Reading, metric: Metric, longest: float, digits: int, *, shares: bool, below: bool
) -> _Number:
    sign = MARKS[reading.mark].sign if reading.mark in MARKS else ""
    if reading.mark == SAME or (reading.value is None and not shares):
        return _Number(sign, "", 0.0)
    share = _change(reading, metric, shares) / longest if longest > 0 else 0.0
    if shares:
        return _Number(short_number(reading.moved or 0.0, metric, digits), "", share)
    if reading.mark == FEW_MOVED:
        return _Number("≈" if below else _moved(reading), "" if below else "moved", 0.0)
    return _Number(short_number(reading.value or 0.0, metric, digits), "", share)


def _moved(reading: Reading) -> str:
    moved = reading.moved or 0.0
    if moved < 0.01:
        return "<0.01 %"
    return f"{moved:.0f} %" if moved >= 1 else f"{moved:.2g} %"


def _beside(number: _Number, box: CellBox, size: HeatmapSize, colour: str) -> str:
    font, middle = size.font, box.y + box.height / 2 + BASELINE * size.font
    css = "value muted" if number.words == "=" else "value"
    if box.height < font * 1.1:
        return _bar(colour, box.x, box.y + 1, box.width * number.share, box.height - 2)
    if number.below and box.height >= 2.2 * font:
        return text_tag(number.words, css, box.x, middle - 0.45 * font) + text_tag(
            number.below, "muted", box.x, middle + 0.6 * font
        )
    if number.below:
        return text_tag(MARKS[FEW_MOVED].sign, css, box.x, middle)
    up = 2.0 if box.height >= font + 9 else 0.0
    tag = text_tag(number.words, css, box.x, middle - up)
    return tag + _bar(colour, box.x, middle + up, box.width * number.share, _BAR) if up else tag


def _below(number: _Number, box: CellBox, size: HeatmapSize, colour: str) -> str:
    font = size.font
    if text_width(number.words, font) > box.width:
        high = (box.height - 2) * number.share
        gap = 1.0 if box.width > 4 else 0.0
        return _bar(colour, box.x, box.y + box.height - 2 - high, box.width - gap, high)
    css = "value muted" if number.words in "=≈" else "value"
    tag = text_tag(number.words, css, box.x + box.width / 2, box.y + font, "middle")
    return tag + _bar(colour, box.x + 1, box.y + 1.3 * font, (box.width - 2) * number.share, _BAR)


def _bar(colour: str, x: float, y: float, width: float, height: float) -> str:
    if min(width, height) <= 0:
        return ""
    return (
        f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" width="{max(width, _LEAST_BAR):.1f}"'
        f' height="{max(height, _LEAST_BAR):.1f}"/>'
    )


def _group(at: int, tag: str, box: CellBox, reading: Reading, groups: CellGroups) -> str:
    hit = (
        f'<rect class="hit" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
        f' height="{box.height:.1f}"/>'
    )
    return groups.group(at, "", reading.description, hit + tag)
