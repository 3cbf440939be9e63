"""Which tensors are listed one by one, and in which order: --only, --filter, --sort, --top."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from modeldiff.changes import Change, ChangeTable
from modeldiff.findings.conditions.check import matching_rows, selected_rows
from modeldiff.findings.conditions.columns import row_values
from modeldiff.findings.conditions.expression import ColumnValue
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import MISSING
from modeldiff.text.natural_order import natural_order

DEFAULT_ORDER = "median_pct"


@dataclass(frozen=True)
class ChosenRows:
    """The ``rows`` that were asked for, in their order.

    ``matching`` of ``total`` rows have what was asked for, of which ``rows`` may be the first;
    for ``undecided`` the filter has no answer, since nothing of them was compared. ``order`` is the
    column that they are ordered by; ``options`` is what was asked for, for a document.
    """

    rows: tuple[Change, ...]
    matching: int
    undecided: int
    total: int
    order: str
    options: dict[str, Any]

    @property
    def words(self) -> str:
        """How many they are, and of how many."""
        if len(self.rows) < self.matching:
            return f"first {len(self.rows):,} of {self.matching:,} by {self.order}"
        return f"{self.matching:,} of {self.total:,} by {self.order}"

    @property
    def order_cells(self) -> tuple[str, ...]:
        """What they are ordered by, as text."""
        return tuple(value_text(row_values(row)[self.order]) for row in self.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what the list does not have."""
        if not self.undecided:
            return ()
        are = "tensor was" if self.undecided == 1 else "tensors were"
        return (
            f"For {self.undecided:,} more the filter has no answer: the {are} not compared, or "
            "only in part.",
        )


def choose_rows(table: ChangeTable, options: Namespace) -> ChosenRows:
    """The rows that the ``options`` of a command ask for.

    Raises ``InvalidOption`` for a pattern that matches nothing.
    """
    rows: Sequence[Change] = selected_rows(table, options.only)
    undecided = 0
    if options.filter is not None:
        outcome = matching_rows(rows, table, options.filter)
        rows = [row.change for row in outcome.rows_of("failed")]
        undecided = outcome.counts.get("undecided", 0)
    order = options.sort or DEFAULT_ORDER
    ordered = _ordered(rows, order, reverse=options.reverse)
    return ChosenRows(
        tuple(ordered[: options.top]),
        len(rows),
        undecided,
        len(table),
        order,
        {
            "only": options.only,
            "filter": None if options.filter is None else options.filter.text,
            "sort": order,
            "reverse": options.reverse,
            "top": options.top,
            "matching": len(rows),
            "undecided": undecided,
            "of": len(table),
        },
    )


def value_text(value: ColumnValue) -> str:
    """A value of a column as text, with as many digits as tell it from others."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}".replace("inf", "∞")


def _ordered(rows: Sequence[Change], column: str, *, reverse: bool) -> list[Change]:
    """Numbers from the largest, texts from A (numbers in them by size), or the other way; what has
    neither comes last."""
    valued = [(row, row_values(row)[column]) for row in rows]
    known = [pair for pair in valued if value_text(pair[1]) != MISSING]
    numbers = any(not isinstance(value, str) for _, value in known)
    known.sort(key=_value, reverse=numbers is not reverse)
    missing = [row for row, value in valued if value_text(value) == MISSING]
    return [*(row for row, _ in known), *missing]


def _value(pair: tuple[Change, ColumnValue]) -> Any:
    return natural_order(pair[1]) if isinstance(pair[1], str) else pair[1]
