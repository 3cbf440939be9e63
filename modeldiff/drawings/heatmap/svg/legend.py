"""The heatmap's legend: each scale with its floor and its ceiling, and the marks that occur."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import get_args

from modeldiff.drawings.heatmap.colour_scales import MATRIX_SCALE, ColourScales, Ramp
from modeldiff.drawings.heatmap.faces import STEPS, step_class
from modeldiff.drawings.heatmap.marks import ABOVE, CORNERED, MARKS, NOT_FINITE, mark_meaning
from modeldiff.drawings.heatmap.svg.paint import Paint, ramp_of
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape, text_tag
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.drawings.style.value_scale import Tick, ValueScale
from modeldiff.processes.late_dataclass import dataclass

_BETWEEN = 48.0
_LEAST_STRIP = 150.0
_BAR = 14.0
_APART = 5.0
"""Pixels between two numbers of a scale."""
_MARK_STEP = round(STEPS / 3)
"""The step of the ramp on which marks are shown that stand on a coloured cell."""
MARK_STEPS: tuple[tuple[Ramp, int], ...] = (("heat", 0), ("heat", _MARK_STEP), ("heat", STEPS))
"""The steps that the legend of marks is painted with."""


@dataclass(frozen=True)
class _Strip:
    """One ramp and the scale that it explains; a ``relative`` one explains the scales of several
    components, each from 0 to an end of its own, and ``scale`` is one of them. Where all of its
    cells are equal there are words alone."""

    name: str
    ramp: Ramp
    scale: ValueScale
    relative: bool = False
    same: bool = False


def strips(scales: ColourScales) -> Sequence[_Strip]:
    """What the legend shows of these scales: each of them, or what is relative once a ramp."""
    if not scales.relative:
        return [
            _Strip(name, scales.ramp(name), scale, same=name in scales.same)
            for name, scale in scales.scales.items()
        ]
    first = {scales.ramp(name): scale for name, scale in reversed(list(scales.scales.items()))}
    names: Mapping[Ramp, str] = {"heat": MATRIX_SCALE, "second": "norms and vectors"}
    return [
        _Strip(name, ramp, first[ramp], relative=True)
        for ramp, name in names.items()
        if ramp in first
    ]


def legend_of_scales(
    scales: ColourScales, metric: Metric, x: float, y: float, width: float, font: float
) -> tuple[str, float]:
    """The strips side by side, in as many lines as they need; and their height."""
    shown = strips(scales)
    beside = max(1, min(len(shown), int((width + _BETWEEN) / (_LEAST_STRIP + _BETWEEN))))
    lines = -(-len(shown) // beside)
    beside = -(-len(shown) // lines)
    each = (width - _BETWEEN * (beside - 1)) / beside
    high = 1.5 * font + _BAR + font + 6
    if all(strip.same for strip in shown):
        high = 1.5 * font
    long = all(_fits(strip, metric, each, font) for strip in shown)
    tags = []
    for number, strip in enumerate(shown):
        left, top = x + number % beside * (each + _BETWEEN), y + number // beside * high
        tags.append(_strip(strip, _title(strip, metric, long=long), left, top, each, font))
    return "".join(tags), high * lines


def gradients(paint: Paint) -> str:
    """The definitions that strips are painted with."""
    return "".join(_gradient(ramp, paint) for ramp in get_args(Ramp)) + hatch(paint)


def hatch(paint: Paint) -> str:
    """The definition of the hatching of what cannot move, or is not there."""
    p = paint.words
    return (
        '<pattern id="heatmap-hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
        f' patternTransform="rotate(45)"><rect width="6" height="6" style="fill:{p.surface}"/>'
        f'<path d="M0 0V6" style="stroke:{p.line};stroke-width:2"/></pattern>'
    )


def legend_of_marks(
    marks: Sequence[str], metric: Metric, x: float, y: float, width: float, font: float
) -> tuple[str, float]:
    """The marks with their meanings, in lines of ``width`` pixels; and the height of all."""
    if not marks:
        return "", 0.0
    side, tags, left, top = font + 6, [], x, y
    for mark in marks:
        words = mark_meaning(mark, metric.key)
        needed = side + 7 + text_width(words, font)
        if left > x and left + needed > x + width:
            left, top = x, top + side + 6
        tags.append(_sample(mark, left, top, side, font))
        tags.append(text_tag(words, "", left + side + 7, top + side / 2 + 0.34 * font))
        left += needed + 18
    return "".join(tags), top + side - y


def _title(strip: _Strip, metric: Metric, *, long: bool) -> str:
    """What follows a strip's name: the metric, where there is room, and the unit; or that it is
    relative."""
    if strip.relative:
        return ", each component on a scale of its own" if long else ", relative"
    about = metric.label.lower() if long and strip.name else ""
    return "".join(f", {part}" for part in (about, metric.unit) if part)


def _fits(strip: _Strip, metric: Metric, width: float, font: float) -> bool:
    words = _title(strip, metric, long=True) + _tails(strip)[0]
    return text_width(strip.name, font, bold=True) + 14 + text_width(words, font) <= width


def _strip(strip: _Strip, title: str, x: float, y: float, width: float, font: float) -> str:
    metric = strip.scale.metric
    name = strip.name or metric.label.lower()
    if strip.same:
        return (
            f'<text x="{x:.1f}" y="{y + font:.1f}"><tspan class="strong">{escape(name)}</tspan>'
            ": all exactly equal (=)</text>"
        )
    used = text_width(name, font, bold=True) + text_width(title, font) + 14
    # The floor has a tick of its own, and so can be left out where there is little room.
    tail = next((words for words in _tails(strip) if used + text_width(words, font) <= width), "")
    bar = y + 1.5 * font
    tags = [
        f'<text x="{x:.1f}" y="{y + font:.1f}"><tspan class="strong">{escape(name)}</tspan>'
        f"{escape(title)}</text>",
        text_tag(tail, "muted", x + width, y + font, "end") if tail else "",
        f'<rect x="{x:.1f}" y="{bar:.1f}" width="{width:.1f}" height="{_BAR:g}"'
        f' fill="url(#heatmap-{strip.ramp}{"" if metric.rises else "-back"})"/>',
    ]
    if not strip.relative:
        tags += _below_floor(strip.scale, x, bar, width)
    tags.append(
        f'<rect class="edge" x="{x:.1f}" y="{bar:.1f}" width="{width:.1f}" height="{_BAR:g}"'
        ' stroke-width=".75"/>'
    )
    ticks = _own_ends(strip.scale) if strip.relative else strip.scale.ticks()
    tags += _ticks(ticks, x, bar + _BAR, width, font)
    return "".join(tags)


def _own_ends(scale: ValueScale) -> tuple[Tick, Tick]:
    return Tick(0.0, "each one's low end" if scale.low else "0"), Tick(1.0, "each one's own end")


def _tails(strip: _Strip) -> Sequence[str]:
    """What stands at a strip's end: floor and what unrelated matrices show; and shorter."""
    scale = strip.scale
    if strip.relative:
        return ("",)
    floor = "" if scale.floor is None else f"floor {scale.metric.number(scale.floor)}"
    unrelated = ""
    ceiling = scale.metric.ceiling
    if ceiling is not None and scale.metric.rises:
        number = scale.metric.number(ceiling)
        at_end = scale.ceiling is not None and scale.position(ceiling) > 0.99
        unrelated = f"{number} = unrelated" if at_end else f"unrelated: {number}"
    return " · ".join(filter(None, (floor, unrelated))), unrelated, floor


def _below_floor(scale: ValueScale, x: float, y: float, width: float) -> Iterator[str]:
    """The stretch below the floor, hatched, and the floor's own tick."""
    if scale.floor is None:
        return
    at = x + width * scale.position(scale.floor)
    if at - x >= 1:
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{at - x:.1f}" height="{_BAR:g}"'
            ' fill="url(#heatmap-hatch)"/>'
        )
    yield f'<path class="tick" stroke-width="1.5" d="M{at:.1f} {y - 4:.1f}V{y + _BAR:.1f}"/>'


def _ticks(ticks: Sequence[Tick], x: float, y: float, width: float, font: float) -> Iterator[str]:
    """Ticks with their numbers, but for numbers that would touch the one before or the last."""
    end = x + width - text_width(ticks[-1].text, font) - _APART
    written = x - _APART
    for number, tick in enumerate(ticks):
        at, wide = x + width * tick.position, text_width(tick.text, font)
        last = number == len(ticks) - 1
        yield f'<path class="tick" d="M{at:.1f} {y:.1f}v4"/>'
        anchor = "end" if last else "middle" if number else "start"
        start = {"start": at, "middle": at - wide / 2, "end": at - wide}[anchor]
        if not last and (start < written + _APART or (number and start + wide > end)):
            continue
        written = start + wide
        yield text_tag(tick.text, "", round(at, 1), round(y + font + 4, 1), anchor)


def _gradient(ramp: Ramp, paint: Paint) -> str:
    forward = [
        paint.colour(partial(_colour_of, ramp=ramp, at=at))
        for at in range(len(ramp_of(paint.themes[0], ramp)))
    ]
    ways = {"": forward, "-back": forward[::-1]}
    return "".join(
        f'<linearGradient id="heatmap-{ramp}{way}">{_stops(colours)}</linearGradient>'
        for way, colours in ways.items()
    )


def _stops(colours: Sequence[str]) -> str:
    last = len(colours) - 1
    return "".join(
        f'<stop offset="{at / last:.3f}" style="stop-color:{colour}"/>'
        for at, colour in enumerate(colours)
    )


def _colour_of(theme: Palette, ramp: Ramp, at: int) -> str:
    return ramp_of(theme, ramp)[at]


_SAMPLES: Mapping[str, int] = {ABOVE: STEPS, NOT_FINITE: _MARK_STEP}


def _sample(mark: str, x: float, y: float, side: float, font: float) -> str:
    """A small cell with the mark on it."""
    ground, sign = MARKS[mark].ground, MARKS[mark].sign
    css: str = ground
    if ground == "colour":
        step = _MARK_STEP if mark in CORNERED else _SAMPLES.get(mark, 0)
        css = step_class("heat", step)
    corner = f'<path d="M{x + side - 7:.1f} {y:.1f}h7v7z"/>' if mark in CORNERED else ""
    ring = ""
    if mark == NOT_FINITE:
        ring = (
            f'<path fill-rule="evenodd" d="M{x + 1.5:.1f} {y + 1.5:.1f}h{side - 3:.1f}'
            f"v{side - 3:.1f}h{3 - side:.1f}zm2 2v{side - 7:.1f}h{side - 7:.1f}"
            f'v{7 - side:.1f}z"/>'
        )
    return (
        f'<g class="{css}"><rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}"'
        f' height="{side - 1:.1f}"/>'
        f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 0.34 * font:.1f}"'
        f' text-anchor="middle">{sign}</text>{corner}{ring}</g>'
    )
