"""Rows that moved by no more than rounding to one of their two stored types makes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from modeldiff.changes import Change
from modeldiff.checkpoints import STORED_TYPES
from modeldiff.findings.evidence import Moved

_SMALLEST_STEPS = {"F16": 2.0**-24, "F8_E4M3": 2.0**-9, "F8_E5M2": 2.0**-16}
"""The step of the smallest values that a type has, where it has no finer ones."""


def is_within_step(moved: Moved) -> bool:
    """Whether 99 % of what moved did so by no more than the coarser type's step."""
    floor = moved.statistics.resolution_pct
    # A bucket's middle may lie above what it holds by 1/64.
    return floor is not None and moved.most_steps_pct <= floor * (1 + 1 / 64)


def smallest_of(moved: Moved, types: Iterable[str]) -> str | None:
    """Of these types the one by half of whose smallest values' step what moved did so at most, in
    the square mean; None where none has such a step."""
    sums = moved.statistics.sums
    if sums is None:
        return None
    far = math.sqrt(sums.delta_squared / (sums.n - sums.unchanged))
    return next((t for t in sorted(types) if far <= _SMALLEST_STEPS.get(t, 0.0) / 2), None)


def rounding_type(change: Change) -> str | None:
    """The coarser of a row's two stored types, where it moved by no more than rounding to that
    makes; None where it moved further, or both sides have one type."""
    base, target, statistics = change.pair.base, change.pair.target, change.statistics
    if base is None or target is None or base.dtype == target.dtype or statistics is None:
        return None
    moved, types = Moved.of(statistics), (base.dtype, target.dtype)
    if moved is None:
        return None
    if is_within_step(moved):
        return max(types, key=_step_of)
    return smallest_of(moved, types)


def _step_of(stored: str) -> float:
    known = STORED_TYPES.get(stored)
    return (known.resolution_pct if known else None) or 0.0
