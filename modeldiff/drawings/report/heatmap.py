"""The heatmap as SVG that needs no library: it shows the first metric by itself, and the page's
script turns it to another. Each cell is a link to its row of the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modeldiff.changes.change import Status
from modeldiff.drawings.heatmap.colour_scales import ColourScales
from modeldiff.drawings.heatmap.frame import NOT_FINITE
from modeldiff.drawings.report.html import text
from modeldiff.drawings.report.rows import MARGINS, STEPS, ReportRows, Row
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.drawings.style.value_scale import ValueScale
from modeldiff.findings.status_words import NOT_MEASURED, STATUS_WORDS

_SIGN_OF_STATUS: Mapping[Status, str] = {
    "only_in_base": "−",
    "only_in_target": "+",
    "different_shape": "≠",
    "unreadable": "×",
    "quantised": "q",
}
SIGNS: Mapping[str, tuple[str, str]] = {
    NOT_FINITE: ("!", "has NaN or infinite values"),
    **{
        STATUS_WORDS[status].label: (sign, STATUS_WORDS[status].counted)
        for status, sign in _SIGN_OF_STATUS.items()
    },
    "infinite": ("∞", "infinite: base is mostly zero"),
    STATUS_WORDS["buffer"].label: ("□", STATUS_WORDS["buffer"].counted),
    "no value": ("·", "nothing to measure"),
    NOT_MEASURED: ("?", "not measured"),
}
"""By mark: the sign in a cell that has no colour, and what it means."""

_PARTIAL = "*"
"""Behind the name of what was compared in part."""

_LEFT, _TOP = 58.0, 8.0
_GAP = 8.0
_BAR = 26.0
_BARS_A_ROW = 4
_FONT = 11.0
_LONGEST_NAME = 170.0
_LABEL_EVERY = 13.0
_NEEDED = (38.0, 15.0)
"""Width and height that a number needs."""


def heatmap_svg(rows: ReportRows) -> str:
    """All cells, coloured by the metric to begin with, and numbered as the table's rows are."""
    return _Sheet(rows).svg()


def legend_html(metric: Metric, scales: ColourScales, *, shown: bool) -> str:
    """A metric's colours from no change to the top, with floor and ceiling marked: one strip for
    each scale that some of the cells share."""
    label = f"{metric.label}, %" if metric.unit else metric.label
    strips = "".join(
        f"<figure><figcaption>{text(label + (f' · {name}' if name else ''))}</figcaption>"
        f"{_strip(scale)}</figure>"
        for name, scale in scales.scales.items()
    )
    return f'<div class="scale" data-of="{metric.key}"{"" if shown else " hidden"}>{strips}</div>'


def _strip(scale: ValueScale) -> str:
    width, height = 300.0, 10.0
    each = width / (STEPS + 1)
    order = range(STEPS + 1) if scale.metric.rises else range(STEPS, -1, -1)
    parts = [
        f'<rect class="s{step}" x="{10 + at * each:.2f}" y="2" width="{each + 0.4:.2f}"'
        f' height="{height:g}"/>'
        for at, step in enumerate(order)
    ]
    for tick in scale.ticks():
        x = 10 + width * tick.position
        anchor = {0.0: "start", 1.0: "end"}.get(tick.position, "middle")
        parts.append(f'<path class="tick" d="M{x:.1f},2V16"/>')
        parts += [
            f'<text x="{x:.1f}" y="{27 + 12 * line:g}" text-anchor="{anchor}">{text(words)}</text>'
            for line, words in enumerate(tick.text.split("\n"))
        ]
    return (
        f'<svg viewBox="0 0 {width + 20:g} 42" width="{width + 20:g}" height="42" role="img"'
        f' aria-label="Colour scale of {text(scale.metric.label)}">{"".join(parts)}</svg>'
    )


def marks_html(rows: Sequence[Row]) -> str:
    """A legend of the signs that may stand in these cells."""
    present = {row.mark for row in rows}
    if any(_infinite(row) for row in rows):
        present.add("infinite")
    items = "".join(
        f"<li><b>{sign}</b> {meaning}</li>"
        for mark, (sign, meaning) in SIGNS.items()
        if mark in present
    )
    if any(row.partial for row in rows):
        items += f"<li><b>{_PARTIAL}</b> compared by the rows that both have</li>"
    return f'<ul class="signs">{items}</ul>' if items else ""


def _infinite(row: Row) -> bool:
    values = (metric.value(row.statistics) for metric in METRICS)
    return any(value is not None and math.isinf(value) for value in values)


class _Sheet:
    """Where each cell stands. ``rows`` keep their numbers, which are the table's."""

    def __init__(self, rows: ReportRows) -> None:
        self._rows = list(enumerate(rows.rows))
        self._first = rows.first
        self._metric = rows.metrics[rows.first] if rows.metrics else None
        inside = [row for _, row in self._rows if row.region == "grid"]
        groups = {row.column: (row.rank, row.group) for row in inside}
        self._columns = sorted(groups, key=lambda column: groups[column])
        self._columns.sort(key=lambda column: groups[column][0])
        labels = {row.layer: row.layer_short for row in inside if row.layer is not None}
        self._layers = dict(sorted(labels.items()))
        count = len(self._columns)
        self._width = 52.0 if count <= 13 else 44.0 if count <= 22 else 26.0
        self._height = float(min(26, max(7, 900 // max(len(self._layers), 1))))
        self._across: dict[str, float] = {}
        x, before = _LEFT, ""
        for column in self._columns:
            x += _GAP if before and groups[column][1] != before else 0.0
            self._across[column], before = x, groups[column][1]
            x += self._width
        self._margin = x + _GAP
        self._right = max(self._margin + self._width if count else x, _LEFT + 420)

    def svg(self) -> str:
        """The sheet from top to bottom."""
        parts: list[str] = []
        y = self._bars("above", _TOP, parts)
        if self._columns:
            y = self._grid(y, parts)
        y = self._bars("below", y, parts)
        overhang = 0.75 * min(_LONGEST_NAME, text_width("all components", _FONT))
        width, height = round(self._right + overhang), round(y)
        return (
            f'<svg class="heatmap" xmlns="http://www.w3.org/2000/svg" role="group"'
            f' viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' style="--natural:{width}px" aria-label="Heatmap: layers down, components across">'
            f"{''.join(parts)}</svg>"
        )

    def _bars(self, region: str, y: float, parts: list[str]) -> float:
        """The tensors outside the layers, as broad bars over the grid's width."""
        bars = [(number, row) for number, row in self._rows if row.region == region]
        if not bars:
            return y
        lines = -(-len(bars) // _BARS_A_ROW)
        a_row = _BARS_A_ROW if lines <= 4 else -(-len(bars) // 4)
        for start in range(0, len(bars), a_row):
            line = bars[start : start + a_row]
            each = (self._right - _LEFT) / len(line)
            for at, (number, row) in enumerate(line):
                parts.append(self._cell(number, row, _LEFT + at * each, y, each, _BAR, named=True))
            y += _BAR
        return y + 10

    def _grid(self, y: float, parts: list[str]) -> float:
        names = [shorten(column, _LONGEST_NAME, _FONT) for column in self._columns]
        margin = any(row.region == "layer" for _, row in self._rows)
        y += 0.71 * max(text_width(name, _FONT) for name in [*names, "all components"]) + 14
        for column, name in zip(self._columns, names, strict=True):
            parts.append(_slanted(name, self._across[column] + self._width / 2, y))
        if margin:
            parts.append(_slanted("all components", self._margin + self._width / 2, y))
        parts.append(_label("layer", _LEFT - 8, y - 6))
        row_of = {layer: at for at, layer in enumerate(self._layers)}
        every = next((n for n in (1, 2, 5, 10, 20, 50) if n * self._height >= _LABEL_EVERY), 100)
        for layer, at in row_of.items():
            if at % every == 0:
                parts.append(
                    _label(self._layers[layer], _LEFT - 8, y + (at + 0.5) * self._height + 4)
                )
        bottom = y + len(self._layers) * self._height + _GAP
        if margin:
            parts.append(_label("all layers", _LEFT - 8, bottom + max(self._height, 16) / 2 + 4))
        for number, row in self._rows:
            top = y + row_of.get(row.layer, 0) * self._height if row.layer is not None else 0.0
            if row.region == "grid":
                x = self._across[row.column]
                parts.append(self._cell(number, row, x, top, self._width, self._height))
            elif row.region == "layer" and row.layer in row_of:
                parts.append(self._cell(number, row, self._margin, top, self._width, self._height))
            elif row.region == "column" and row.column in self._across:
                x, high = self._across[row.column], max(self._height, 16)
                parts.append(self._cell(number, row, x, bottom, self._width, high))
        return bottom + max(self._height, 16) + 14

    def _cell(
        self,
        number: int,
        row: Row,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        named: bool = False,
    ) -> str:
        step, reading, sign = self._reading(row)
        broken = f", {SIGNS[NOT_FINITE][1]}" if row.mark == NOT_FINITE else ""
        inside = ""
        if named:
            name = shorten(row.column, width - 80, 12) + (f" {_PARTIAL}" if row.partial else "")
            value = f'<tspan class="v" dx="8">{text(sign)}</tspan>'
            at = f'x="{x + 8:.1f}" y="{y + height / 2 + 4:.1f}"'
            inside = f"<text {at}>{text(name)}{value}</text>"
        elif width >= _NEEDED[0] and height >= _NEEDED[1]:
            at = f'x="{x + width / 2:.1f}" y="{y + height / 2 + 4:.1f}"'
            inside = f'<text class="v" {at} text-anchor="middle">{text(sign)}</text>'
        if row.mark == NOT_FINITE and sign != SIGNS[NOT_FINITE][0]:
            # Beside the number, which the script exchanges.
            at = f'x="{x + width - 3:.1f}" y="{y + 10:.1f}"'
            inside += (
                f'<text {at} text-anchor="end" font-weight="700">{SIGNS[NOT_FINITE][0]}</text>'
            )
        css = "cell margin" if row.region in MARGINS else "cell"
        return (
            f'<a class="{css} s{step}" id="c{number}" href="#r{number}">'
            f"<title>{text(row.place)}: {text(reading)}{text(broken)}</title>"
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>{inside}</a>'
        )

    def _reading(self, row: Row) -> tuple[int | str, str, str]:
        """The step of colour (``-`` without one), the words, and what stands in the cell."""
        value = self._metric.value(row.statistics) if self._metric else None
        if value is None or self._metric is None:
            sign, meaning = SIGNS.get(row.mark or "no value", ("·", row.mark))
            return "-", meaning, sign
        step = row.steps[self._first]
        shown = "-" if step is None else step
        return shown, self._metric.format(value), self._metric.number(value)


def _slanted(name: str, x: float, y: float) -> str:
    at = f"translate({x:.1f} {y - 6:.1f}) rotate(-45)"
    return f'<text class="head" transform="{at}">{text(name)}</text>'


def _label(words: str, x: float, y: float) -> str:
    return f'<text class="head" x="{x:.1f}" y="{y:.1f}" text-anchor="end">{text(words)}</text>'
