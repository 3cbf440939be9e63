"""What a heatmap's cell looks like: its ground, and what is written on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from modeldiff.drawings.heatmap.colour_scales import ColourScales, Ramp
from modeldiff.drawings.heatmap.marks import (
    ABOVE,
    CORNERED,
    FEW_MOVED,
    MARKS,
    NOT_FINITE,
    label,
)
from modeldiff.drawings.heatmap.options import HeatmapSize
from modeldiff.drawings.heatmap.readings import Reading, in_picture
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.text_metrics import text_width

STEPS = 64
"""Steps of colour from no change to the top of a scale."""
_LETTER: Mapping[Ramp, str] = {"heat": "h", "second": "n"}
_ROOM = {2: 3.0, 3: 6.0}
"""Pixels that a cell is wider than its number, by the number's digits: more would crowd it."""
_BARELY = 1.1
"""Beyond a scale's top by less than this cannot be seen, and is not marked."""


class Face(NamedTuple):
    """``css`` are the classes of its ground, ``sign`` is what it shows for its number, empty where
    that is the number; ``above`` says that the number lies above its scale."""

    css: str
    sign: str
    above: bool = False
    frame: bool = False
    corner: bool = False


def step_of(heat: float) -> int:
    """The step of a heat from 0 to 1."""
    return round(STEPS * heat)


def step_class(ramp: Ramp, step: int) -> str:
    """The CSS class of a cell at a step of a ramp."""
    return f"{_LETTER[ramp]}{step}"


def faces(readings: Sequence[Reading], scales: ColourScales) -> list[Face | None]:
    """Each reading's face; None in the margins."""
    return [
        _face(reading, scales, name, heat) if in_picture(reading) else None
        for reading, name, heat in zip(readings, scales.names, scales.heat(readings), strict=True)
    ]


def _face(reading: Reading, scales: ColourScales, name: str, heat: float | None) -> Face:
    if reading.mark == label("tied"):
        return Face("panel tied", "")
    mark = MARKS.get(reading.mark)
    sign = "" if mark is None else mark.sign
    if heat is None or (mark is not None and mark.ground != "colour"):
        return Face("dashed" if mark is None or mark.ground == "colour" else mark.ground, sign)
    colour = step_class(scales.ramp(name), 0 if reading.mark == FEW_MOVED else step_of(heat))
    scale = scales.scales[name]
    above = (
        scale.metric.rises
        and scale.ceiling is None
        and (reading.value or 0.0) > _BARELY * scale.top
    )
    return Face(colour, sign, above, reading.mark == NOT_FINITE, reading.mark in CORNERED)


def marks_of(
    readings: Sequence[Reading], shown: Sequence[Face | None], folded: Collection[int]
) -> list[str]:
    """The marks that occur, in the order of ``MARKS``; those in ``folded`` layers, which are not
    drawn cell by cell, do not count."""
    present = {
        reading.mark
        for reading in readings
        if in_picture(reading) and reading.cell.layer not in folded
    }
    if any(face is not None and face.above for face in shown):
        present.add(ABOVE)
    meanings = {MARKS[mark].meaning: mark for mark in reversed(tuple(MARKS)) if mark in present}
    return [mark for mark in MARKS if meanings.get(MARKS[mark].meaning) == mark]


def short_number(value: float, metric: Metric, digits: int) -> str:
    """A number of two or three digits, as a cell has room for."""
    if not metric.unit:
        return f"{value:.{digits}g}"
    if digits == 3:
        return metric.number(value)
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def digits_with_room(
    readings: Sequence[Reading], metric: Metric, size: HeatmapSize, width: float, height: float
) -> int:
    """How many digits the cells of the grid have room for; 0 for no numbers."""
    if not size.numbers or height < size.font + 1:
        return 0
    values = [one.value for one in readings if one.value is not None and one.cell.region == "grid"]
    for digits in (3, 2):
        texts = {short_number(value, metric, digits) for value in values}
        widest = max((text_width(text, size.font) for text in texts), default=0.0)
        if widest + _ROOM[digits] <= width:
            return digits
    return 0
