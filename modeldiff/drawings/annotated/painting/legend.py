"""The key to the numbers' colours: the scale of matrices, and that of norms and biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modeldiff.drawings.annotated.colours import Colours
from modeldiff.drawings.annotated.tiles import TEXT
from modeldiff.drawings.heatmap.marks import FEW_MOVED, SAME, mark_meaning
from modeldiff.drawings.style.fonts import REGULAR
from modeldiff.drawings.style.metrics import EQUAL_SIGN, FEW_SIGN
from modeldiff.drawings.style.svg import text_tag
from modeldiff.drawings.style.value_scale import ValueScale

_NAMES = {False: "matrices", True: "norms and biases"}
_MARKS = {EQUAL_SIGN: SAME, FEW_SIGN: FEW_MOVED}
_STEPS, _RAMP, _HEIGHT = 20, 160.0, 12.0
_GAP, _BETWEEN, _LINE = 8.0, 36.0, 22.0


def legend_tags(
    scales: Mapping[bool, ValueScale],
    colours: Colours,
    width: float,
    signs: Sequence[str] = (),
) -> tuple[str, float]:
    """The key as SVG elements and its height: one line, or more where ``width`` is less. ``signs``
    are those that stand for numbers."""
    metric = scales[False].metric
    unit = f", {metric.unit}" if metric.unit else ""
    parts = [text_tag(f"{metric.label}{unit}:", "aside", 0, 14)]
    x, y = REGULAR.width(f"{metric.label}{unit}:", TEXT) + 14, 14.0
    for second, scale in scales.items():
        words = _NAMES[second], "0", scale.reach
        if scale.clipped:
            words = *words[:2], f"≥ {scale.reach}"
        sizes = [REGULAR.width(word, TEXT) for word in words]
        whole = sum(sizes) + _RAMP + 3 * _GAP
        if x and x + whole > width:
            x, y = 0.0, y + _LINE
        parts.append(text_tag(words[0], "aside", round(x, 1), y))
        parts.append(text_tag(words[1], "aside", round(x + sizes[0] + _GAP, 1), y))
        left = x + sizes[0] + sizes[1] + 2 * _GAP
        parts.append(_ramp(scale, colours, left, y - 11, second=second))
        parts.append(text_tag(words[2], "aside", round(left + _RAMP + _GAP, 1), y))
        x += whole + _BETWEEN
    for sign in signs:
        meaning = f"{sign}  {mark_meaning(_MARKS[sign], metric.key)}"
        whole = REGULAR.width(meaning, TEXT)
        if x and x + whole > width:
            x, y = 0.0, y + _LINE
        parts.append(text_tag(meaning, "aside", round(x, 1), y))
        x += whole + _BETWEEN
    return "".join(parts), y + 8


def _ramp(scale: ValueScale, colours: Colours, x: float, y: float, *, second: bool) -> str:
    step = _RAMP / _STEPS
    return "".join(
        f'<rect x="{x + number * step:.1f}" y="{y:.1f}" width="{step + 0.4:.1f}"'
        f' height="{_HEIGHT:g}" style="fill:{ground}"/>'
        for number in range(_STEPS)
        for ground, _ in [
            colours.heat(scale.heat(scale.top * (number + 0.5) / _STEPS), second=second)
        ]
    )
