"""The two ramps of the heatmap, for a terminal's own ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modeldiff.drawings.style.palette import DARK, LIGHT

_SECOND = {
    "light": "#e2e8f6 #c2d2ee #a5bcea #8aa4e5 #738add #6070ce #5158b5 #424294 #342f6f #251e4a",
    "dark": "#222638 #2d335b #374284 #4355ab #506cca #6386dc #7aa0e6 #96b8ed #b4d0f3 #d4e8fb",
}


@dataclass(frozen=True)
class Ramps:
    """From no change to the most: ``heat`` for matrices, ``second`` for norms and other vectors."""

    heat: tuple[str, ...]
    second: tuple[str, ...]


def choose_ramps(environment: Mapping[str, str]) -> Ramps:
    """The ramps for the terminal's own ground: dark, unless COLORFGBG says that it is light."""
    ground = environment.get("COLORFGBG", "").rpartition(";")[2]
    light = ground in ("7", "15")
    return Ramps(
        (LIGHT if light else DARK).ramp, tuple(_SECOND["light" if light else "dark"].split())
    )
