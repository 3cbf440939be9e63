"""A check as Markdown, for a comment on a pull request or a summary of a job."""

from __future__ import annotations

from modeldiff.cli.check.values import (
    VERDICT_WORDS,
    asked_text,
    counts_text,
    gap_sentences,
    reason,
    selection_text,
)
from modeldiff.cli.check.words import asked_coverage
from modeldiff.cli.terminal import printable
from modeldiff.findings.conditions.check import Check, Outcome, RowVerdict
from modeldiff.results import ResultHeader

_LISTED = 50
_LONGEST = 300


def check_markdown(check: Check, header: ResultHeader) -> str:
    """The verdict, a table of the conditions, and the tensors that did not pass."""
    sides = " → ".join(map(_code, (header.base_reference, header.target_reference)))
    lines = [
        f"### modeldiff check {VERDICT_WORDS[check.verdict]}",
        "",
        f"{sides}: {selection_text(check)}, {asked_coverage(check)}.",
        "",
        "| fail if | verdict | |",
        "| --- | --- | --- |",
    ]
    for outcome in check.outcomes:
        detail = counts_text(outcome) if outcome.rows else asked_text(outcome, check, None)
        verdict = VERDICT_WORDS[outcome.verdict]
        lines.append(f"| {_code(outcome.condition.text)} | **{verdict}** | {detail} |")
    for outcome in check.outcomes:
        lines += _details(outcome, check)
    return "\n".join([*lines, ""])


def _details(outcome: Outcome, check: Check) -> list[str]:
    """What did not pass under one condition."""
    lines: list[str] = []
    rows = [*outcome.rows_of("failed"), *outcome.rows_of("undecided")]
    gaps = gap_sentences(outcome)
    if gaps or rows:
        lines += ["", f"#### {_code(outcome.condition.text)}", ""]
    lines += [f"- {sentence}" for sentence in gaps]
    if rows:
        lines += ["", "| tensor | verdict | |", "| --- | --- | --- |"]
        lines += [_row(row, outcome, check) for row in rows[:_LISTED]]
    if len(rows) > _LISTED:
        lines += ["", f"… and {len(rows) - _LISTED:,} more."]
    return lines


def _row(row: RowVerdict, outcome: Outcome, check: Check) -> str:
    why = reason(row, outcome, check)
    shown = _code(why) if row.verdict == "failed" else why
    return f"| {_code(row.place)} | {row.verdict} | {shown} |"


def _code(text: str) -> str:
    """Text of others as code, in which nothing is markup: neither links, nor names of people, nor
    the end of a table's cell."""
    text = printable(text)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"`{text.replace('`', 'ˋ').replace('|', chr(92) + '|')}`"
