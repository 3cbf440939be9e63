"""Conditions that must not hold, asked of every row: failed, passed, or not decided.

What was not compared never passes: where the answer depends on values that nobody compared, a
condition is undecided, and the reason is one of ``GAPS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from modeldiff.changes import Change, ChangeTable, Pair
from modeldiff.errors import InvalidOption
from modeldiff.findings.conditions.columns import (
    COUNTS_OF_NONFINITE,
    MEASURED,
    WHOLE_MEASURED,
    is_of_rows,
    row_values,
    whole_values,
    without,
)
from modeldiff.findings.conditions.expression import ColumnValues, Condition
from modeldiff.findings.conditions.patterns import is_selected, place_text
from modeldiff.findings.evidence import nonfinite_of
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed, quoted

GapReason = Literal[
    "different_shape",
    "only_in_base",
    "only_in_target",
    "unreadable",
    "quantised",
    "buffer",
    "not_measured",
    "not_finite",
    "part_of_rows",
    "no_value",
]
Verdict = Literal["failed", "undecided", "allowed", "passed"]

GAPS: Mapping[GapReason, str] = {
    "different_shape": "the shapes differ, so nothing was compared",
    "only_in_base": "it is only in base",
    "only_in_target": "it is only in target",
    "unreadable": "its bytes could not be read",
    "quantised": "it is quantised, so nothing was compared",
    "buffer": "it has no trained values, so it was not measured",
    "not_measured": "it was not measured",
    "not_finite": "it has NaN or infinite elements, which no statistic covers",
    "part_of_rows": "only the rows that both have were compared",
    "no_value": "it has no such statistic (whole numbers, or no elements)",
}
"""Why a row can leave a condition undecided, as the end of a sentence."""

ALWAYS_ALLOWED: frozenset[GapReason] = frozenset(("buffer",))
"""Gaps that no verdict depends on: they are counted and said."""


@dataclass(frozen=True)
class RowVerdict:
    """What a condition comes to at one row, which is ``change``; ``gap`` is why it is not decided,
    or would not be were that not allowed."""

    change: Change
    verdict: Verdict
    gap: GapReason | None = None

    @property
    def place(self) -> str:
        """Where the row is, as patterns have it."""
        return place_text(self.change.pair)


@dataclass(frozen=True)
class Outcome:
    """What one condition comes to. ``rows`` has a verdict a row; it is empty for a condition on all
    rows together. ``verdict`` is the gravest of them, ``gaps`` why it is not decided where that is
    so, and how many rows are so."""

    condition: Condition
    rows: tuple[RowVerdict, ...]
    verdict: Verdict
    gaps: Mapping[GapReason, int]

    @cached_property
    def counts(self) -> Mapping[Verdict, int]:
        """How many rows there are of each verdict; one, for a condition on all together."""
        return Counter(row.verdict for row in self.rows) if self.rows else {self.verdict: 1}

    def rows_of(self, verdict: Verdict) -> tuple[RowVerdict, ...]:
        """The rows with this verdict, in the order of data."""
        return tuple(row for row in self.rows if row.verdict == verdict)


@dataclass(frozen=True)
class Check:
    """All conditions' outcomes. ``selected`` of ``total`` rows were asked; ``whole`` is what holds
    of them together."""

    outcomes: tuple[Outcome, ...]
    selected: int
    total: int
    whole: ColumnValues

    @property
    def verdict(self) -> Verdict:
        """The gravest of all outcomes."""
        return _gravest([outcome.verdict for outcome in self.outcomes])


def require_matches(pairs: Sequence[Pair], patterns: Sequence[str]) -> None:
    """Raises ``InvalidOption`` for a pattern that matches none of the pairs: whoever wrote it meant
    something else, and nothing would be checked."""
    for pattern in patterns:
        if not any(is_selected(pair, pattern) for pair in pairs):
            places = dict.fromkeys(map(place_text, pairs))
            raise InvalidOption(
                f"The pattern {quoted(pattern)} matches no tensor.",
                hint=f"Places are written like {listed(places)}; * stands for any characters.",
            )


def selected_rows(table: ChangeTable, patterns: Sequence[str]) -> Sequence[Change]:
    """The rows that one of the ``patterns`` matches, in the order of data; all, without patterns.
    Raises as ``require_matches``."""
    if not patterns:
        return table.ordered()
    require_matches([row.pair for row in table], patterns)
    return [row for row in table.ordered() if any(is_selected(row.pair, p) for p in patterns)]


def run_check(
    table: ChangeTable,
    conditions: Sequence[Condition],
    *,
    only: Sequence[str] = (),
    allow: Collection[GapReason] = (),
) -> Check:
    """Ask every condition of every row that a pattern of ``only`` matches.

    A row at which a condition holds fails. One where it depends on what was not compared is
    undecided, unless its gap is one that the caller will ``allow``. Raises ``InvalidOption`` for a
    pattern that matches nothing.
    """
    rows = selected_rows(table, only)
    allowed = ALWAYS_ALLOWED | frozenset(allow)
    resolved = [_resolved(row, table) for row in rows]
    whole = _whole_values(resolved) if only else whole_values(table)
    outcomes = tuple(
        _on_rows(condition, resolved, whole, allowed)
        if is_of_rows(condition.names)
        else _on_all(condition, resolved, whole, allowed)
        for condition in conditions
    )
    return Check(outcomes, len(rows), len(table), whole)


def matching_rows(rows: Sequence[Change], table: ChangeTable, condition: Condition) -> Outcome:
    """Which of the ``rows`` of ``table`` a condition holds at: those have the verdict failed."""
    resolved = [_resolved(row, table) for row in rows]
    return _on_rows(condition, resolved, whole_values(table), ALWAYS_ALLOWED)


def gaps_of(change: Change) -> Iterator[GapReason]:
    """Why not all that is said of a row speaks of all of its values."""
    statistics, status = change.statistics, change.pair.status
    if statistics is None:
        # A tied one that is measured nowhere, or what waits to be measured.
        yield "not_measured" if status == "compared" or status == "tied" else status
        return
    if any(nonfinite_of(change)):
        yield "not_finite"
    if change.pair.shared is not None:
        yield "part_of_rows"
    if statistics.median_pct is None:
        yield "no_value"


@dataclass(frozen=True)
class _Resolved:
    """A row with what was measured of it; a tied one has what was measured where it is stored."""

    change: Change
    measured: Change

    @cached_property
    def values(self) -> ColumnValues:
        own = row_values(self.change)
        if self.measured is self.change:
            return own
        measured = row_values(self.measured)
        return own | {name: measured[name] for name in MEASURED}


def _resolved(change: Change, table: ChangeTable) -> _Resolved:
    return _Resolved(change, table.stored(change))


_Allowed = frozenset[GapReason]


def _on_rows(
    condition: Condition,
    rows: Sequence[_Resolved],
    whole: ColumnValues,
    allowed: _Allowed,
) -> Outcome:
    # What holds of all rows together is as little known as the rows are.
    of_all = _gaps(rows)
    together = {name: whole[name] for name in condition.names if name in whole}
    known_together = without(together, _hidden_of_all(of_all, allowed))
    verdicts = []
    for row in rows:
        gaps = list(gaps_of(row.measured))
        own = {name: row.values[name] for name in condition.names if name not in whole}
        known = without(own, _hidden(gaps, MEASURED))
        if condition.decide({**own, **together}):
            verdicts.append(RowVerdict(row.change, "failed"))
        elif condition.decide({**known, **known_together}) is False:
            verdicts.append(RowVerdict(row.change, "passed"))
        else:
            gaps = gaps or list(of_all)
            lasting: list[GapReason] = [gap for gap in gaps if gap not in allowed]
            verdict: Verdict = "undecided" if lasting or not gaps else "allowed"
            # Without any gap it is a quotient by zero, say: no number to compare.
            first: GapReason = (lasting or gaps or ["no_value"])[0]
            verdicts.append(RowVerdict(row.change, verdict, first))
    reasons = Counter(row.gap for row in verdicts if row.gap and row.verdict == "undecided")
    return Outcome(
        condition, tuple(verdicts), _gravest([row.verdict for row in verdicts]), dict(reasons)
    )


def _on_all(
    condition: Condition,
    rows: Sequence[_Resolved],
    whole: ColumnValues,
    allowed: _Allowed,
) -> Outcome:
    gaps = _gaps(rows)
    verdict: Verdict = "undecided"
    if condition.decide(whole):
        verdict = "failed"
    elif condition.decide(without(whole, _hidden_of_all(gaps, ALWAYS_ALLOWED))) is False:
        verdict = "passed"
    elif condition.decide(without(whole, _hidden_of_all(gaps, allowed))) is False:
        verdict = "allowed"
    lasting = {gap: count for gap, count in gaps.items() if gap not in allowed}
    return Outcome(condition, (), verdict, lasting if verdict == "undecided" else {})


def _whole_values(rows: Sequence[_Resolved]) -> ColumnValues:
    """What holds of some rows together: a tied one brings what is measured where it is stored."""
    measured = {id(row.measured): row.measured for row in rows}
    return whole_values(ChangeTable(measured.values())) | {"whole.tensors": len(rows)}


def _gaps(rows: Sequence[_Resolved]) -> dict[GapReason, int]:
    return dict(Counter(gap for row in rows for gap in gaps_of(row.measured)))


def _hidden(gaps: Collection[GapReason], measured: frozenset[str]) -> frozenset[str]:
    """What these gaps leave unknown of what was ``measured``."""
    if not gaps or set(gaps) == {"no_value"}:
        return frozenset()  # what has no value is None already
    return measured - COUNTS_OF_NONFINITE if set(gaps) == {"not_finite"} else measured


def _hidden_of_all(gaps: Mapping[GapReason, int], allowed: _Allowed) -> frozenset[str]:
    """As ``_hidden``, of all rows together: rows without a value are not in the merged ones."""
    lasting = {gap for gap in gaps if gap not in allowed}
    if "no_value" in lasting:
        return WHOLE_MEASURED
    return _hidden(lasting, WHOLE_MEASURED)


def _gravest(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in ("failed", "undecided", "allowed"):
        if verdict in verdicts:
            return verdict
    return "passed"
