"""A whole diff as one JSON document."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from modeldiff.changes import Change, Statistics, pair_row
from modeldiff.changes.table.plain_rows import statistics_row
from modeldiff.results.result import Result, ResultHeader

if TYPE_CHECKING:
    from modeldiff.findings.summary import Summary


DIFF_DOCUMENT = "modeldiff/diff/1"
"""The name and version of the document, whose JSON schema ``modeldiff schema diff`` prints."""


def result_document(result: Result) -> dict[str, Any]:
    """The result as one JSON document: infinity is ``"inf"``, missing is None.

    ``reading`` says it in sentences. Histograms are left out; the Parquet file has them.
    """
    # Late: a diff that is not told in words needs none of it.
    from modeldiff.findings.narrative import narrate
    from modeldiff.findings.summary import summarize

    header = result.header
    narrative = narrate(result.changes, unread=header.unread)
    return {
        "document": DIFF_DOCUMENT,
        "schema": header.schema,
        **origin_document(header),
        "summary": _summary(summarize(result.changes)),
        "reading": {
            "headline": narrative.headline,
            "facts": list(narrative.facts),
            "inference": list(narrative.likeness),
        },
        "tensors": [_tensor(change) for change in result.changes],
    }


def origin_document(header: ResultHeader) -> dict[str, Any]:
    """Where a result came from, as the part of a JSON document."""
    return {
        "base": {"reference": header.base_reference, "fingerprint": header.base_fingerprint},
        "target": {"reference": header.target_reference, "fingerprint": header.target_fingerprint},
        "options": dict(header.options),
        "version": header.version,
        "device": header.device,
        "seconds": header.seconds,
        "created": header.created,
    }


def _tensor(change: Change) -> dict[str, Any]:
    relation = None if change.relation is None else asdict(change.relation)
    row = pair_row(change.pair) | _json_statistics(change.statistics)
    return row | {"relation": relation}


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "statuses": dict(summary.statuses),
        "elements": summary.elements,
        "bytes": summary.nbytes,
        "statistics": _json_statistics(summary.statistics),
        "most_changed": [_extreme(change) for change in summary.most_changed],
        "least_changed": [_extreme(change) for change in summary.least_changed],
    }


def _extreme(change: Change) -> dict[str, Any]:
    row = pair_row(change.pair)
    median = _json_statistics(change.statistics)["median_pct"]
    names = ("name", "part", "target_name", "target_part")
    return {name: row[name] for name in names} | {"median_pct": median}


def _json_statistics(statistics: Statistics | None) -> dict[str, Any]:
    return {
        name: "inf" if isinstance(value, float) and math.isinf(value) else value
        for name, value in statistics_row(statistics).items()
    }
