"""Many rows in a few numbers."""

from __future__ import annotations

import math
from dataclasses import replace

from modeldiff.changes import Change, ChangeTable, merge_statistics
from modeldiff.findings.summary import summarize
from tests.support.results import a_change


def medians(changes: tuple[Change, ...]) -> list[float | None]:
    return [change.statistics.median_pct for change in changes if change.statistics]


def with_status(change: Change, **fields: object) -> Change:
    return Change(replace(change.pair, **fields))  # type: ignore[arg-type]


def test_counts() -> None:
    one = a_change(1.0, n=8)
    changes = [
        one,
        a_change(2.0, n=4),
        with_status(one, status="only_in_base", target=None),
        with_status(one, status="only_in_target", base=None),
        with_status(one, status="buffer"),
        with_status(one, status="buffer"),
    ]
    summary = summarize(ChangeTable(changes))
    assert summary.statuses == {
        "compared": 2,
        "only_in_base": 1,
        "only_in_target": 1,
        "buffer": 2,
    }
    assert summary.elements == 12
    assert summary.nbytes == 2 * 4 * 12
    assert summary.statistics is not None and summary.statistics.sums is not None
    assert summary.statistics.sums.n == 12


def test_of_nothing() -> None:
    summary = summarize(ChangeTable([with_status(a_change(), status="buffer")]))
    assert summary.statistics is None
    assert summary.most_changed == summary.least_changed == ()


def test_extremes_with_infinity_nulls_and_ties() -> None:
    values = [3.0, math.inf, None, 0.5, 7.0, 0.0]
    summary = summarize(ChangeTable(a_change(value) for value in values), extremes=3)
    assert medians(summary.most_changed) == [math.inf, 7.0, 3.0]
    assert medians(summary.least_changed) == [0.0, 0.5, 3.0]


def test_among_equal_medians_the_frobenius_change_decides_then_the_order() -> None:
    def tied(layer: int, frobenius: float) -> Change:
        change = a_change(0.0, layer=layer)
        assert change.statistics is not None
        return Change(change.pair, replace(change.statistics, rel_frobenius_pct=frobenius))

    summary = summarize(ChangeTable([tied(0, 2.0), tied(1, 1.0), tied(2, 1.0), tied(3, 3.0)]))
    assert [c.pair.place.layer for c in summary.least_changed] == [1, 2, 0, 3]
    assert [c.pair.place.layer for c in summary.most_changed] == [3, 0, 1, 2]


def test_groups_are_merged_and_a_row_alone_keeps_its_exact_numbers() -> None:
    changes = [a_change(1.0, layer=0), a_change(2.0, layer=1), a_change(4.0, layer=1, n=16)]
    merged = ChangeTable(changes).merged("layer")
    assert list(merged) == [0, 1]
    assert merged[0] == changes[0].statistics
    assert merged[1] == merge_statistics(c.statistics for c in changes[1:] if c.statistics)
    assert merged[1].sums is not None and merged[1].sums.n == 24
