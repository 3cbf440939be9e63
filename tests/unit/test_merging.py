"""Merged once: the same rows asked for again cost nothing, and never give another's numbers."""

from __future__ import annotations

import gc

from modeldiff.changes import merge_statistics
from modeldiff.changes.statistics.merge_cache import merged
from tests.support.changes import made_statistics


def test_the_same_rows_are_merged_once() -> None:
    parts = [made_statistics(1.0), made_statistics(30.0)]
    whole = merged(parts)
    assert whole == merge_statistics(parts)
    assert merged(list(parts)) is whole
    assert merged([*parts, made_statistics(90.0)]) != whole


def test_rows_that_are_gone_are_not_mistaken_for_new_ones() -> None:
    for median in range(1, 200):
        # The objects before are freed, so that some of these get their addresses.
        parts = [made_statistics(float(median)), made_statistics(median / 2)]
        assert merged(parts) == merge_statistics(parts)
        del parts
        gc.collect(0)


def test_one_row_keeps_its_exact_median() -> None:
    one = made_statistics(12.345)
    assert merged([one]) is one
    assert merged([]) is None
