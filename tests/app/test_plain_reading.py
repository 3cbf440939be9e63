"""What a summary is said to mean."""

from __future__ import annotations

import math
from typing import Any

from modeldiff.changes import Statistics, Status
from modeldiff.results import Summary
from modeldiff.ui.plain_reading import read_summary


def reading(statuses: dict[Status, int] | None = None, **statistics: Any) -> str:
    merged = Statistics(resolution_pct=0.390625, **statistics) if statistics else None
    return " ".join(read_summary(Summary(statuses or {"compared": 1}, 10, 40, merged, (), ())))


def test_a_plain_change() -> None:
    text = reading(median_pct=20.0, unchanged_pct=1.0, rel_frobenius_pct=21.0)
    assert text == (
        "**Half of all elements moved by less than 20.0 % of their base value,** half by more; "
        "1.00 % are equal, bit for bit."
    )


def test_identical_weights_are_not_a_median_of_zero() -> None:
    assert "identical" in reading(median_pct=0.0, unchanged_pct=100.0, rel_frobenius_pct=0.0)
    assert "identical" not in reading(median_pct=0.0, unchanged_pct=99.9, rel_frobenius_pct=0.1)


def test_a_median_below_one_step_of_the_type_is_explained() -> None:
    text = reading(median_pct=0.0, unchanged_pct=80.0, rel_frobenius_pct=0.06)
    assert text.startswith("**80.0 % of all elements are equal, bit for bit,**")
    assert "a smaller update rounds away" in text
    assert "a part of the elements" not in text


def test_a_change_carried_by_a_part_of_the_elements() -> None:
    assert "a part of the elements" in reading(
        median_pct=0.0, unchanged_pct=89.0, rel_frobenius_pct=3.5
    )


def test_unrelated_models() -> None:
    assert "nothing in common" in reading(
        median_pct=125.0, unchanged_pct=0.0, rel_frobenius_pct=140.0
    )


def test_an_infinite_median() -> None:
    text = reading(median_pct=math.inf, unchanged_pct=10.0, rel_frobenius_pct=None)
    assert "Most base values are zero" in text


def test_nothing_is_left_out_silently() -> None:
    text = reading({"different_shape": 2, "only_in_target": 9, "buffer": 1})
    assert text.startswith("**No tensor could be compared.**")
    assert "Not measured: 2 of another shape, 9 only in target, 1 without trained values." in text
