"""Statistics that two programs found of the same tensors."""

from __future__ import annotations

import math
import struct
from dataclasses import astuple, fields, replace

from modeldiff.changes import Change, Statistics, Sums
from modeldiff.results import Result
from tests.support.slow_statistics import SUMS_TOLERANCE


def expect_same(found: Statistics, wanted: Statistics) -> None:
    """Bit for bit where order cannot matter, within a millionth where sums are rounded."""
    assert found.sums is not None
    assert wanted.sums is not None
    for field in fields(Sums):
        one, other = getattr(found.sums, field.name), getattr(wanted.sums, field.name)
        if isinstance(other, int):
            assert one == other, field.name
        elif field.name == "product":
            scale = math.sqrt(wanted.sums.base_squared) * math.sqrt(wanted.sums.target_squared)
            assert abs(one - other) <= SUMS_TOLERANCE * scale
        else:
            assert math.isclose(one, other, rel_tol=SUMS_TOLERANCE), field.name
    assert found.histogram == wanted.histogram
    for name in ("median_pct", "p05_pct", "p25_pct", "p75_pct", "p95_pct", "p99_pct"):
        assert getattr(found, name) == getattr(wanted, name), name
    for name in ("unchanged_pct", "sign_flip_pct", "base_zero_pct", "resolution_pct"):
        assert getattr(found, name) == getattr(wanted, name), name


def expect_same_changes(found: list[Change], wanted: list[Change]) -> None:
    """As ``expect_same``, row by row."""
    assert [change.pair for change in found] == [change.pair for change in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert (one.statistics is None) == (other.statistics is None)
        if one.statistics is not None and other.statistics is not None:
            expect_same(one.statistics, other.statistics)


def bits(statistics: Statistics) -> list[object]:
    """The scalars, floats as the bits that they are."""
    scalars = [*astuple(replace(statistics, sums=None, histogram=None))]
    if statistics.sums is not None:
        scalars += astuple(statistics.sums)
    return [struct.pack("<d", value) if isinstance(value, float) else value for value in scalars]


def same(one: Result, other: Result) -> bool:
    """Whether two results hold the same rows, bit for bit, NaN included."""
    return one.key == other.key and [bits_of_row(change) for change in one.changes] == [
        bits_of_row(change) for change in other.changes
    ]


def bits_of_row(change: Change) -> tuple[object, ...]:
    """The pair with the bits of its statistics and its histogram."""
    statistics = change.statistics
    if statistics is None:
        return change.pair, None
    return change.pair, bits(statistics), statistics.histogram
