"""The floor of each lossy type: how far it moves weights that nothing else moved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from modeldiff.changes import Change
from modeldiff.findings.quantised.grids import grid_floor
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class TypeFloor:
    """The median relative change and the relative Frobenius change, in percent, that quantising
    normally distributed weights to a type makes."""

    median_pct: float
    rel_frobenius_pct: float


FLOORS: Mapping[str, TypeFloor] = {
    "Q8_0": TypeFloor(0.62, 0.54),
    "Q6_K": TypeFloor(1.91, 1.78),
    "Q5_K": TypeFloor(4.03, 3.63),
    "Q5_1": TypeFloor(4.45, 3.80),
    "Q5_0": TypeFloor(4.90, 4.28),
    "Q4_K": TypeFloor(7.85, 7.15),
    "IQ4_NL": TypeFloor(9.14, 7.65),
    "IQ4_XS": TypeFloor(9.21, 7.70),
    "Q4_1": TypeFloor(9.17, 7.82),
    "Q4_0": TypeFloor(9.95, 8.62),
    "FP8": TypeFloor(2.17, 2.65),
    "FP8-E5M2": TypeFloor(4.33, 5.27),
    "MXFP8": TypeFloor(2.18, 2.66),
    "MXFP8-E5M2": TypeFloor(4.34, 5.38),
    "LLM.int8": TypeFloor(1.01, 0.87),
    "NF4": TypeFloor(10.3, 9.20),
    "FP4": TypeFloor(12.1, 12.2),
    "NVFP4": TypeFloor(10.5, 10.3),
    "MXFP4": TypeFloor(11.2, 11.4),
    "IQ3_S": TypeFloor(14.1, 16.6),
    "Q3_K": TypeFloor(17.6, 15.2),
    "IQ3_XXS": TypeFloor(16.7, 21.4),
    "IQ2_S": TypeFloor(27.0, 27.0),
    "Q2_K": TypeFloor(30.5, 29.6),
    "IQ2_XS": TypeFloor(30.0, 30.0),
    "IQ2_XXS": TypeFloor(34.0, 34.0),
    "IQ1_M": TypeFloor(54.0, 45.0),
    "IQ1_S": TypeFloor(60.0, 49.0),
    "HQQ1.58": TypeFloor(80.7, 63.8),
    "INT1": TypeFloor(100.0, 100.0),
    "TQ1_0": TypeFloor(100.0, 80.6),
    "TQ2_0": TypeFloor(100.0, 80.6),
    "HQQ1": TypeFloor(100.0, 106.0),
}
"""By the stored type's name, without the size of its group. Measured on numbers from N(0, 0.02), of
GGUF's types with llama.cpp's own quantisers and no importance matrix, of the others by rounding to
the nearest value that the type has, of HQQ's with groups of 64. Relative Frobenius is the better
floor: the median is of ratios to values near zero."""


@lru_cache(maxsize=256)
def type_floor(stored: str) -> TypeFloor | None:
    """The floor of a stored type by its name; None for one that loses nothing, or has none."""
    named = FLOORS.get(stored.partition("-g")[0])
    if named is not None:
        return named
    if "/" in stored:  # parts of one matrix in types of their own
        floors = [type_floor(part) for part in stored.split("/")]
        if any(floors):
            return TypeFloor(
                _mean([floor.median_pct if floor else 0.0 for floor in floors]),
                _mean([floor.rel_frobenius_pct if floor else 0.0 for floor in floors]),
            )
    grid = grid_floor(stored)
    return TypeFloor(*grid) if grid is not None else None


def _mean(floors: Sequence[float]) -> float:
    """The floor of parts that are as large: their squares' mean, and its root."""
    return math.hypot(*floors) / math.sqrt(len(floors))


def lossy_types(change: Change) -> tuple[str, ...]:
    """The stored types of both sides that have a floor, base's first."""
    sides = (change.pair.base, change.pair.target)
    return tuple(side.dtype for side in sides if side is not None and type_floor(side.dtype))


def floor_of(types: tuple[str, ...]) -> float:
    """The relative Frobenius change, in percent, between weights in these types: errors of two
    quantisations are at a right angle to each other."""
    floors = map(type_floor, types)
    return math.hypot(*(floor.rel_frobenius_pct for floor in floors if floor is not None))


def mixed_columns(rows: Iterable[Change]) -> frozenset[str]:
    """The components of these rows that are stored in one lossy type in some places and otherwise
    in others."""
    types: dict[str, set[tuple[str, ...]]] = {}
    for change in rows:
        types.setdefault(change.pair.place.column, set()).add(lossy_types(change))
    return frozenset(column for column, own in types.items() if len(own) > 1)
