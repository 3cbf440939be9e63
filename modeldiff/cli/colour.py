"""Colours of a terminal: how many it has, told by its environment, and text on a ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from modeldiff.processes.late_dataclass import dataclass

ColourDepth = Literal["none", "bold", "256", "truecolor"]
"""``bold``: a terminal of which no more is known than that it takes commands."""

Colour = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""

_INK_SWITCH = 0.1791
"""The luminance at which black and white ink read equally well (4.58 to 1)."""
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Painted:
    """Some text, on a ``ground`` of this colour (``#rrggbb``), or on the terminal's own."""

    text: str
    ground: str = ""


def choose_depth(environment: Mapping[str, str], *, is_terminal: bool) -> ColourDepth:
    """What colours to write, by the conventions of NO_COLOR, FORCE_COLOR, COLORTERM and TERM."""
    term = environment.get("TERM", "")
    forced = environment.get("FORCE_COLOR", "") not in ("", "0")
    if environment.get("NO_COLOR") or not (is_terminal or forced):
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith(
        ("-direct", "-truecolor")
    ):
        return "truecolor"
    if "256" in term or forced:
        return "256"
    return "none" if term in ("", "dumb") else "bold"


def paint(text: str, ground: str, depth: ColourDepth) -> str:
    """``text`` on its ground, in black or white, whichever reads better there."""
    if not ground or depth not in ("256", "truecolor"):
        return text
    rgb = (int(ground[1:3], 16), int(ground[3:5], 16), int(ground[5:7], 16))
    if depth == "truecolor":
        return f"\x1b[38;5;{_ink(rgb)};48;2;{rgb[0]};{rgb[1]};{rgb[2]}m{text}\x1b[0m"
    number, shown = _nearest(rgb)
    return f"\x1b[38;5;{_ink(shown)};48;5;{number}m{text}\x1b[0m"


def _ink(ground: Colour) -> int:
    """The number of black or white, whichever reads better on ``ground``."""
    return 16 if _luminance(ground) > _INK_SWITCH else 231


def _luminance(channels: Colour) -> float:
    linear = (
        share / 12.92 if (share := each / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for each in channels
    )
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _nearest(channels: Colour) -> tuple[int, Colour]:
    """The nearest of the 240 colours that all such terminals share: its number, and what it is."""
    red, green, blue = (min(range(6), key=lambda step: abs(_CUBE[step] - c)) for c in channels)
    cube = _CUBE[red], _CUBE[green], _CUBE[blue]
    step = min(max(round((sum(channels) / 3 - 8) / 10), 0), 23)
    level = 8 + 10 * step
    grey = level, level, level
    if _distance(grey, channels) < _distance(cube, channels):
        return 232 + step, grey
    return 16 + 36 * red + 6 * green + blue, cube


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
