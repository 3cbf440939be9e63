"""Floors of integers that are spread evenly over each group: GPTQ, AWQ, MLX, HQQ and the like."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"(?:INT|GPTQ|AWQ|MLX|HQQ|quanto)([2-8])(?:-g([0-9]{1,7}))?", re.ASCII)
GRID_GROUPS = (32, 64, 128, 4096)
"""The sizes of groups that were measured; the last stands for a scale a row."""
GRID_FLOORS: Mapping[int, tuple[tuple[float, float], ...]] = {
    2: ((100.0, 47.2), (100.0, 51.1), (100.0, 54.9), (100.0, 71.1)),
    3: ((24.2, 20.3), (27.3, 22.0), (29.8, 23.7), (61.0, 31.5)),
    4: ((10.6, 9.48), (11.8, 10.3), (13.0, 11.1), (17.9, 14.7)),
    5: ((5.06, 4.59), (5.65, 4.97), (6.18, 5.36), (8.41, 7.12)),
    6: ((2.48, 2.26), (2.77, 2.45), (3.03, 2.64), (4.11, 3.50)),
    8: ((0.61, 0.56), (0.68, 0.60), (0.75, 0.65), (1.01, 0.87)),
}
"""Median and relative Frobenius change in percent, by bits, for each of ``GRID_GROUPS``.

Measured on numbers from N(0, 0.02), rounded to the nearest of 2**bits steps between minus and plus
the group's largest magnitude. Steps between a group's least and largest value make a tenth less,
and such that were fitted to the group (HQQ) a sixth.
"""


def grid_floor(stored: str) -> tuple[float, float] | None:
    """The floor of a type by its name, ``GPTQ4-g128``: that of the measured group which is nearest
    to its own, as a ratio. None for another name."""
    match = _NAME.fullmatch(stored)
    floors = GRID_FLOORS.get(int(match[1])) if match else None
    if match is None or floors is None:
        return None
    group = int(match[2]) if match[2] else GRID_GROUPS[-1]
    nearest = min(
        range(len(GRID_GROUPS)),
        key=lambda at: max(GRID_GROUPS[at] / max(group, 1), group / GRID_GROUPS[at]),
    )
    return floors[nearest]
