"""Statistics that two programs found of the same tensors."""

from __future__ import annotations

import math
from dataclasses import fields

from modeldiff.changes import Change, Statistics, Sums
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
