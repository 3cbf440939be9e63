"""A check for people."""

from __future__ import annotations

from modeldiff.cli.check.values import (
    VERDICT_WORDS,
    asked_text,
    counts_text,
    gap_sentences,
    reason,
    selection_text,
)
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import sentence_lines, table_lines
from modeldiff.findings.conditions.check import Check, Outcome, RowVerdict
from modeldiff.results import ResultHeader

_LISTED = 40


def report_check(check: Check, header: ResultHeader, terminal: Terminal) -> None:
    """Each condition with its verdict and the tensors that did not pass, then the whole verdict."""
    terminal.line(f"{header.base_reference} → {header.target_reference}")
    coverage = asked_coverage(check)
    terminal.line(f"Checked: {selection_text(check)}; {coverage}")
    for outcome in check.outcomes:
        verdict = VERDICT_WORDS[outcome.verdict].upper()
        terminal.heading(f"{verdict}  fail if {outcome.condition.text}")
        _report_outcome(outcome, check, terminal)
    terminal.heading(f"Check {VERDICT_WORDS[check.verdict]}")


def asked_coverage(check: Check) -> str:
    """How much of what was asked was compared."""
    value = check.whole["whole.coverage_pct"]
    assert isinstance(value, float)
    shown = "all" if value == 100 else f"{min(value, 99.99):.2f} %"
    return f"{shown} of their elements compared"


def _report_outcome(outcome: Outcome, check: Check, terminal: Terminal) -> None:
    terminal.line(counts_text(outcome))
    if not outcome.rows:
        terminal.line(asked_text(outcome, check, None))
    for sentence in gap_sentences(outcome):
        for line in sentence_lines(f"- {sentence}", terminal.width, 2):
            terminal.line(line)
    for verdict in ("failed", "undecided"):
        rows = outcome.rows_of(verdict)
        if rows:
            _list(verdict, rows, outcome, check, terminal)


def _list(
    verdict: str,
    rows: tuple[RowVerdict, ...],
    outcome: Outcome,
    check: Check,
    terminal: Terminal,
) -> None:
    cells = [(row.place, reason(row, outcome, check)) for row in rows[:_LISTED]]
    for line in table_lines((verdict, ""), cells, width=terminal.width):
        terminal.line(line)
    if len(rows) > _LISTED:
        terminal.line(f"… and {len(rows) - _LISTED:,} more: --json and --junit list every tensor.")
