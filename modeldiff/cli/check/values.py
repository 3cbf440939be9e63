"""What a verdict is about, the same in every form in which it is written."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.cli.chosen_rows import value_text
from modeldiff.findings.conditions.check import GAPS, Check, Outcome, RowVerdict, Verdict
from modeldiff.findings.conditions.columns import row_values
from modeldiff.findings.conditions.expression import ColumnValue
from modeldiff.text.formatting import counted

VERDICT_WORDS: Mapping[Verdict, str] = {
    "failed": "failed",
    "undecided": "undecided",
    "allowed": "passed, with what is allowed",
    "passed": "passed",
}


def asked_values(outcome: Outcome, check: Check, row: RowVerdict | None) -> dict[str, ColumnValue]:
    """The values of all that a condition asks for, by name: of a ``row``, and of all together."""
    values = dict(check.whole) if row is None else {**check.whole, **row_values(row.change)}
    return {name: values[name] for name in sorted(outcome.condition.names)}


def asked_text(outcome: Outcome, check: Check, row: RowVerdict | None) -> str:
    """The same in words: ``median_pct 7.1, layer 3``."""
    values = asked_values(outcome, check, row)
    return ", ".join(f"{name} {value_text(value)}" for name, value in values.items())


def counts_text(outcome: Outcome) -> str:
    """How many tensors came to which verdict, in words."""
    if not outcome.rows:
        return "of all chosen tensors together"
    counts = outcome.counts
    parts = [f"{counts[verdict]:,} {verdict}" for verdict in VERDICT_WORDS if verdict in counts]
    return f"{', '.join(parts)} of {len(outcome.rows):,} tensors"


def reason(row: RowVerdict, outcome: Outcome, check: Check) -> str:
    """Why a row did not pass, as a sentence without its end."""
    if row.verdict == "failed":
        return asked_text(outcome, check, row)
    return GAPS[row.gap] if row.gap else "it can't be told"


def gap_sentences(outcome: Outcome) -> list[str]:
    """Why a condition is undecided: each reason with the number of tensors."""
    return [
        f"{counted(count, 'tensor')}: {GAPS[gap]} (--allow {gap})"
        for gap, count in outcome.gaps.items()
    ]


def selection_text(check: Check) -> str:
    """How many tensors were asked."""
    if check.selected == check.total:
        return f"all {check.total:,} tensors"
    return f"{check.selected:,} of {check.total:,} tensors"
