"""The whole report as one HTML document that needs nothing but itself.

A policy in its head forbids every request, and every script but its own.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from modeldiff.comparison import Comparison
from modeldiff.drawings.charts.parameter_shares import read_parts
from modeldiff.drawings.report.architecture import facts_html, parts_html
from modeldiff.drawings.report.companions import companions_html
from modeldiff.drawings.report.css_colours import colours_css
from modeldiff.drawings.report.definitions import guide_html
from modeldiff.drawings.report.diagrams import diagram_html, side_by_side_html
from modeldiff.drawings.report.heatmap import heatmap_css, heatmap_html
from modeldiff.drawings.report.html import (
    left_to_right,
    section,
    text,
)
from modeldiff.drawings.report.narrative import narrative_html
from modeldiff.drawings.report.rows import ReportRows, read_rows
from modeldiff.drawings.report.table import table_html
from modeldiff.drawings.style.fonts import FITTED_RULES
from modeldiff.results import Result, ResultHeader
from modeldiff.text.formatting import format_duration

MOST_BYTES = 3_000_000
"""A report is smaller than this, so that it can be mailed."""

_MOST_ROWS = 3_000
_HERE = Path(__file__).parent


def report_html(result: Result, comparison: Comparison | None) -> str:
    """A finished diff of this comparison as one HTML document of less than ``MOST_BYTES``.

    Without the ``comparison`` (None: a kept result, whose checkpoints were not opened) it has
    neither architectures nor drawings, and says so. Experts are folded; where that is still too
    much, the rows that changed least are left out, and the report says how many.
    """
    sides = [] if comparison is None else [comparison.base, comparison.target]
    every = read_rows(result.changes, *(side.architecture for side in sides))
    frame = _Report(result, comparison)
    most = _MOST_ROWS
    while True:
        document = frame.document(every.fewer(most))
        if len(document.encode()) < MOST_BYTES or most < 2:
            return document
        most //= 2


class _Report:
    """What does not depend on how many rows are shown is made once."""

    def __init__(self, result: Result, comparison: Comparison | None) -> None:
        self._result = result
        self._header = result.header
        header = result.header
        references = f"{header.base_reference} → {header.target_reference}"
        self._title = references if comparison is None else comparison.names_text
        self._words = narrative_html(result.changes, header.unread)
        self._models = _NOT_OPENED if comparison is None else _models(result, comparison)

    def document(self, rows: ReportRows) -> str:
        """The document with these of all rows."""
        body = (
            _heading(self._title, self._header),
            _words(self._words, rows),
            _heatmap(rows),
            self._models,
            _table(rows, len(self._result.changes)),
            section("guide", "How to read this", guide_html(rows.metrics)),
            f"<footer>Made by modeldiff {text(self._header.version)} from the result "
            f"<code>{self._result.key[:12]}</code>. This file loads nothing from the network."
            "</footer>",
        )
        script = _asset("report.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        return left_to_right(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="referrer" content="no-referrer"><meta name="color-scheme"'
            ' content="light dark"><link rel="icon" href="data:,">'
            f"<title>{text(self._title)}</title>"
            f"<style>{FITTED_RULES}{colours_css()}{heatmap_css()}{_asset('report.css')}</style></head><body>"
            f'{"".join(body)}<div id="tip" role="tooltip" hidden></div>'
            f"<script>{script}</script></body></html>\n"
        )


def _models(result: Result, comparison: Comparison) -> str:
    """The target's diagram with its change, and both architectures."""
    base, target = comparison.base.architecture, comparison.target.architecture
    facts = comparison.facts
    names = result.header.base_reference, result.header.target_reference
    return (
        section("diagram", "In its place", diagram_html(result.changes, comparison.target))
        + section(
            "architecture",
            "Architecture",
            facts_html(facts),
            parts_html(read_parts(base, target)),
            side_by_side_html(base, target, facts, names),
        )
        + section("beyond", "Beyond the weights", companions_html(comparison))
    )


_NOT_OPENED = section(
    "architecture",
    "Architecture",
    "<p>This report was made from the stored result alone. The checkpoints were not opened, so "
    "their diagram and facts are not here.</p>",
)


def _heading(title: str, header: ResultHeader) -> str:
    lines = (
        ("Base", header.base_reference, header.base_fingerprint),
        ("Target", header.target_reference, header.target_fingerprint),
    )
    sides = "".join(
        f"<dt>{role}</dt><dd>{text(reference, 500)} <code>{text(fingerprint)}</code></dd>"
        for role, reference, fingerprint in lines
    )
    return (
        f"<header><p>modeldiff · what changed between two checkpoints, and where</p>"
        f"<h1>{text(title, 500)}</h1><dl>{sides}"
        f"<dt>Measured</dt><dd>on {text(header.device)} in {format_duration(header.seconds)}, "
        f"{text(header.created)}; modeldiff {text(header.version)}, schema {header.schema}, "
        f"options: {text(header.options_text, 1000)}</dd></dl></header>"
    )


def _words(words: str, rows: ReportRows) -> str:
    """The narrative, and beside it the numbers of the whole model."""
    figures = ""
    for number, row in enumerate(rows.rows):
        if row.region != "whole":
            continue
        items = "".join(
            f"<dt>{text(m.label)}</dt><dd>{text(m.format(m.value(row.statistics)))}</dd>"
            for m in rows.metrics
        )
        figures = (
            f'<aside class="card"><h3>All tensors together</h3>'
            f'<div id="whole" data-row="r{number}"></div><dl>{items}</dl></aside>'
        )
    return section("words", "In words", f'<div class="beside"><div>{words}</div>{figures}</div>')


def _heatmap(rows: ReportRows) -> str:
    controls, pictures = heatmap_html(rows)
    return section(
        "heatmap",
        "Where",
        controls,
        f'<div class="beside"><div><div class="scroll">{pictures}</div>{_left_out(rows)}</div>',
        '<aside id="panel" class="card" aria-live="polite"><p>Each cell is a tensor, or the '
        "experts of one layer merged. Choose one to see its numbers.</p></aside></div>",
    )


def _left_out(rows: ReportRows) -> str:
    missing = rows.total - len(rows.rows)
    if not missing:
        return ""
    return (
        f"<p><strong>{missing:,} of {rows.total:,} rows are left out</strong>, those that changed "
        "least, to keep this file small. The CSV, JSON and Parquet files of the same diff have "
        "every tensor.</p>"
    )


def _table(rows: ReportRows, tensors: int) -> str:
    caption = f"{len(rows.rows):,} rows for {tensors:,} tensors"
    return section(
        "table",
        "Every number",
        '<div class="controls needs-script"><label>Contains <input id="filter" type="search"'
        ' maxlength="200" autocomplete="off"></label> <label>Status <select id="status">'
        '<option value="">all</option></select></label> <output id="count"></output></div>',
        table_html(rows, caption),
        _left_out(rows),
        "<p>The experts of a layer share one row; each has its own in the CSV, JSON and Parquet "
        "files. Further rows are a component over all layers, and a layer over all components."
        "</p>",
    )


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
