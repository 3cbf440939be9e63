"""A check as one JSON document."""

from __future__ import annotations

import math
from argparse import Namespace
from typing import Any

from modeldiff.changes import pair_row
from modeldiff.cli.check.values import asked_values
from modeldiff.cli.schemas.published import document_id
from modeldiff.findings.conditions.check import Check, Outcome, RowVerdict
from modeldiff.findings.conditions.expression import ColumnValue
from modeldiff.results import ResultHeader


def check_document(
    check: Check, header: ResultHeader, options: Namespace, exit_code: int
) -> dict[str, Any]:
    """All conditions with their verdicts, and every tensor that did not pass."""
    return {
        "document": document_id("check"),
        "base": {"reference": header.base_reference, "fingerprint": header.base_fingerprint},
        "target": {"reference": header.target_reference, "fingerprint": header.target_fingerprint},
        "version": header.version,
        "device": header.device,
        "verdict": check.verdict,
        "exit_code": exit_code,
        "only": options.only,
        "allow": options.allow,
        "tensors": {"asked": check.selected, "of": check.total},
        "whole": {name: plain_value(value) for name, value in check.whole.items()},
        "conditions": [_condition(outcome, check) for outcome in check.outcomes],
    }


def plain_value(value: ColumnValue) -> str | float | int | None:
    """A value as strict JSON has it: infinity is ``"inf"``, what is absent or unknown null."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else "inf" if value > 0 else "-inf"


def _condition(outcome: Outcome, check: Check) -> dict[str, Any]:
    return {
        "fail_if": outcome.condition.text,
        "on": "tensors" if outcome.rows else "whole",
        "verdict": outcome.verdict,
        "counts": dict(outcome.counts),
        "gaps": dict(outcome.gaps),
        "values": None if outcome.rows else _values(outcome, check, None),
        "tensors": [_row(row, outcome, check) for row in outcome.rows if row.verdict != "passed"],
    }


def _row(row: RowVerdict, outcome: Outcome, check: Check) -> dict[str, Any]:
    names = pair_row(row.change.pair)
    return {
        "place": row.place,
        "name": names["name"],
        "part": names["part"],
        "target_name": names["target_name"],
        "target_part": names["target_part"],
        "verdict": row.verdict,
        "gap": row.gap,
        "values": _values(outcome, check, row),
    }


def _values(outcome: Outcome, check: Check, row: RowVerdict | None) -> dict[str, Any]:
    values = asked_values(outcome, check, row)
    return {name: plain_value(value) for name, value in values.items()}
