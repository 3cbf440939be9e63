"""A fleet as a table: a row a pair, what rows can be asked for, and their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from modeldiff.errors import ModeldiffError
from modeldiff.findings.conditions.columns import whole_values
from modeldiff.findings.conditions.expression import ColumnKind, Condition
from modeldiff.findings.narrative import narrate
from modeldiff.findings.summary import summarize
from modeldiff.findings.words import place_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.result import Result, ResultHeader
from modeldiff.text.natural_order import natural_order


@dataclass(frozen=True)
class FleetRow:
    """One pair of a fleet: ``name`` and ``target`` are what target is called and its reference,
    ``key`` that of its result.

    ``median_pct``, ``rel_frobenius_pct`` and ``unchanged_pct`` are of all compared tensors
    together, ``coverage_pct`` the share of elements that were compared (of the side where it is
    less), ``nonfinite`` how many elements of both sides are not finite. ``most_changed`` is the
    tensor with the largest median (where medians are equal, the largest relative Frobenius change)
    with both as ``most_changed_pct`` and ``most_changed_frobenius_pct``. ``likeness`` is what the
    change is like, in the narrative's first hedged sentence; empty where nothing is said. None is
    what was not measured.
    """

    name: str
    target: str
    key: str
    median_pct: float | None
    rel_frobenius_pct: float | None
    unchanged_pct: float | None
    coverage_pct: float | None
    nonfinite: float | None
    most_changed: str
    most_changed_pct: float | None
    most_changed_frobenius_pct: float | None
    likeness: str


@dataclass(frozen=True)
class FleetFailure:
    """A target that could not be opened, paired or read: why, and what to do next."""

    target: str
    message: str
    hint: str

    @classmethod
    def of(cls, target: str, error: ModeldiffError) -> FleetFailure:
        """What ``error`` says of ``target``."""
        return cls(target, error.message, error.hint)


@dataclass(frozen=True)
class Fleet:
    """What is known of all targets beside ``base``, a reference with the fingerprint
    ``base_fingerprint``: a row for each that could be measured, in the order asked for.

    ``bytes_read`` were read of all sides this time; one diff after the other, which read base each
    time, would have read ``bytes_apart``. Both are 0 where nothing was left to measure.
    """

    base: str
    base_fingerprint: str
    rows: tuple[FleetRow, ...]
    failures: tuple[FleetFailure, ...] = ()
    bytes_read: int = 0
    bytes_apart: int = 0


FLEET_COLUMNS: Mapping[str, ColumnKind] = {
    field.name: "number" if "float" in str(field.type) else "text" for field in fields(FleetRow)
}
"""The columns that rows are sorted and filtered by."""


def fleet_row(result: Result) -> FleetRow:
    """The row of a pair's result."""
    header, changes = result.header, result.changes
    whole = whole_values(changes)
    most = next(iter(summarize(changes, extremes=1).most_changed), None)
    statistics = most.statistics if most is not None else None
    likeness = narrate(changes, unread=header.unread).likeness

    def number(name: str) -> float | None:
        value = whole[f"whole.{name}"]
        return value if isinstance(value, float | int) else None

    return FleetRow(
        name=header.names[1],
        target=header.target_reference,
        key=result.key,
        median_pct=number("median_pct"),
        rel_frobenius_pct=number("rel_frobenius_pct"),
        unchanged_pct=number("unchanged_pct"),
        coverage_pct=number("coverage_pct"),
        nonfinite=number("nonfinite"),
        most_changed=place_words(most.pair.place) if most is not None else "",
        most_changed_pct=statistics.median_pct if statistics else None,
        most_changed_frobenius_pct=statistics.rel_frobenius_pct if statistics else None,
        likeness=likeness[0] if likeness else "",
    )


def chosen_fleet_rows(
    rows: Sequence[FleetRow],
    *,
    filter: Condition | None = None,
    sort: str = "",
    reverse: bool = False,
    top: int | None = None,
) -> list[FleetRow]:
    """Those of the ``rows`` at which the condition ``filter`` holds, ordered by the column
    ``sort``: numbers from the largest, texts from A (numbers in them by size), what is not known
    last; empty leaves the order. ``reverse`` turns it round, ``top`` takes so many from the
    beginning."""
    chosen = [row for row in rows if filter is None or filter.decide(vars(row))]
    if sort:
        known = [row for row in chosen if _is_known(getattr(row, sort))]
        rest = [row for row in chosen if not _is_known(getattr(row, sort))]
        falling = FLEET_COLUMNS[sort] == "number"
        known.sort(key=lambda row: _order(getattr(row, sort)), reverse=falling != reverse)
        chosen = known + rest
    elif reverse:
        chosen.reverse()
    return chosen[:top]


def fleets_of(headers: Sequence[ResultHeader]) -> dict[str, list[ResultHeader]]:
    """Results that share a base, by its fingerprint, in their order: bases with two or more. Of
    several results of one pair (of other options) the first counts."""
    pairs: dict[str, dict[str, ResultHeader]] = {}
    for header in headers:
        pairs.setdefault(header.base_fingerprint, {}).setdefault(header.target_fingerprint, header)
    return {base: list(targets.values()) for base, targets in pairs.items() if len(targets) > 1}


def _is_known(value: float | str | None) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _order(value: float | str) -> Any:
    return natural_order(value.casefold()) if isinstance(value, str) else value
