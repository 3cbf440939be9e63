"""Colours of a terminal: how many it has, told by its environment, and text on a ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColourDepth = Literal["none", "bold", "256", "truecolor"]
"""``bold``: a terminal of which no more is known than that it takes commands."""

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
    red, green, blue = (int(ground[at : at + 2], 16) for at in (1, 3, 5))
    ink = 16 if _luminance(red, green, blue) > _INK_SWITCH else 231
    if depth == "truecolor":
        return f"\x1b[38;5;{ink};48;2;{red};{green};{blue}m{text}\x1b[0m"
    return f"\x1b[38;5;{ink};48;5;{_nearest(red, green, blue)}m{text}\x1b[0m"


def _luminance(*channels: int) -> float:
    linear = (
        share / 12.92 if (share := each / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for each in channels
    )
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _nearest(*channels: int) -> int:
    """The number of the nearest of the 240 colours that all such terminals share."""
    steps = [min(range(6), key=lambda step: abs(_CUBE[step] - each)) for each in channels]
    grey = min(max(round((sum(channels) / 3 - 8) / 10), 0), 23)
    in_cube = sum((_CUBE[step] - each) ** 2 for step, each in zip(steps, channels, strict=True))
    in_grey = sum((8 + 10 * grey - each) ** 2 for each in channels)
    return 232 + grey if in_grey < in_cube else 16 + 36 * steps[0] + 6 * steps[1] + steps[2]
