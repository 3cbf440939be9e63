"""What conditions may ask for: a row's columns, and under ``whole.`` what holds of all rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import get_args

from modeldiff.changes import STATISTIC_NAMES, Change, ChangeTable, Status, pair_row
from modeldiff.changes.table.plain_rows import PAIR_COLUMNS, statistics_row
from modeldiff.findings.conditions.expression import ColumnKind, ColumnValue, ColumnValues
from modeldiff.findings.conditions.patterns import place_text
from modeldiff.findings.coverage import coverage_of
from modeldiff.findings.evidence import is_equal, is_moved

_WHOLE = "whole."
_NUMBERS = ("layer", "target_layer", "expert", "elements", "compared_rows")
_COUNTS = ("tensors", "coverage_pct", "coverage_base_pct", "coverage_target_pct", "not_compared")
_TENSORS = ("changed_tensors", "unchanged_tensors")
_NONFINITE = ("nonfinite_base", "nonfinite_target", "nonfinite")

MEASURED = frozenset((*STATISTIC_NAMES, "nonfinite"))
"""A row's columns that stand for what was measured: None where nothing was."""

WHOLE_MEASURED = frozenset(_WHOLE + name for name in (*STATISTIC_NAMES, "nonfinite", *_TENSORS))
"""The same of all rows together."""

COUNTS_OF_NONFINITE = frozenset((*_NONFINITE, *(_WHOLE + name for name in _NONFINITE)))
"""Those that are exact where elements are not finite, though all else speaks of the others."""

ROW_COLUMNS: Mapping[str, ColumnKind] = {
    "place": "text",
    **{name: "number" if name in _NUMBERS else "text" for name in PAIR_COLUMNS},
    **dict.fromkeys((*STATISTIC_NAMES, "nonfinite"), "number"),
}
"""A row's columns: those of the exported tables, the place as patterns have it, and the count of
elements of both sides that are not finite."""

COLUMNS: Mapping[str, ColumnKind] = {
    **ROW_COLUMNS,
    **{
        _WHOLE + name: "number"
        for name in (*_COUNTS, *get_args(Status), *_TENSORS, *STATISTIC_NAMES, "nonfinite")
    },
}
"""All that a condition may ask for."""


def is_of_rows(names: frozenset[str]) -> bool:
    """Whether a condition that asks for ``names`` is one on each row, not on all together."""
    return any(name in ROW_COLUMNS for name in names)


def row_values(change: Change) -> dict[str, ColumnValue]:
    """The columns of one row. What is absent is NaN or empty, what was not measured None."""
    pair = pair_row(change.pair)
    values: dict[str, ColumnValue] = {"place": place_text(change.pair)}
    for name, value in pair.items():
        if isinstance(value, list):
            values[name] = "x".join(map(str, value))
        elif value is None:
            values[name] = math.nan if name in _NUMBERS else ""
        else:
            values[name] = value
    return values | _with_nonfinite(statistics_row(change.statistics))


def whole_values(table: ChangeTable) -> dict[str, ColumnValue]:
    """What holds of all rows of ``table`` together, by the names that conditions have for it.

    Shares of coverage are in percent of the elements; ``not_compared`` counts tensors that have no
    partner or none to compare with.
    """
    coverage = coverage_of(table)
    shares = [100 * side.of_elements for side in (coverage.base, coverage.target)]
    values: dict[str, ColumnValue] = {
        "tensors": len(table),
        "coverage_pct": min(shares),
        "coverage_base_pct": shares[0],
        "coverage_target_pct": shares[1],
        "not_compared": sum(coverage.statuses.values()) + coverage.waiting,
        **{status: table.statuses.get(status, 0) for status in get_args(Status)},
        "changed_tensors": sum(map(is_moved, table)),
        "unchanged_tensors": sum(map(is_equal, table)),
        **_with_nonfinite(statistics_row(table.whole)),
    }
    return {_WHOLE + name: value for name, value in values.items()}


def without(values: ColumnValues, names: frozenset[str]) -> ColumnValues:
    """The same values, those of ``names`` not known."""
    return {name: None if name in names else value for name, value in values.items()}


def _with_nonfinite(statistics: dict[str, float | None]) -> dict[str, ColumnValue]:
    base, target = (statistics[name] for name in _NONFINITE[:2])
    both = None if base is None or target is None else base + target
    return {**statistics, "nonfinite": both}
