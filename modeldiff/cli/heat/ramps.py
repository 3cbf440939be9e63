"""The two ramps of the heatmap, for a terminal's own ground."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.drawings.style.palette import DARK, LIGHT
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Ramps:
    """From no change to the most: ``heat`` for matrices, ``second`` for norms and other vectors."""

    heat: tuple[str, ...]
    second: tuple[str, ...]


def choose_ramps(environment: Mapping[str, str]) -> Ramps:
    """The ramps for the terminal's own ground: dark, unless COLORFGBG says that it is light."""
    ground = environment.get("COLORFGBG", "").rpartition(";")[2]
    light = ground in ("7", "15")
    palette = LIGHT if light else DARK
    return Ramps(palette.ramp, palette.second)
