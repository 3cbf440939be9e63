"""The whole report as one HTML document that needs nothing but itself.

A policy in its head forbids every request, and every script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from modeldiff.architectures import Architecture, compare_facts
from modeldiff.drawings.diagram import diagram_svg
from modeldiff.drawings.metrics import METRICS, Metric
from modeldiff.drawings.parts import read_parts
from modeldiff.drawings.report.architecture import facts_html, parts_html
from modeldiff.drawings.report.colours import colours_css
from modeldiff.drawings.report.guide import guide_html
from modeldiff.drawings.report.heatmap import heatmap_svg, legend_html, marks_html, scales
from modeldiff.drawings.report.markup import (
    REPORT_PALETTE,
    left_to_right,
    paragraphs,
    section,
    text,
)
from modeldiff.drawings.report.rows import Row, most_telling, read_rows
from modeldiff.drawings.report.table import table_html
from modeldiff.drawings.scale import Scale
from modeldiff.results import Result, ResultHeader, read_changes
from modeldiff.wording import format_duration

MOST_BYTES = 3_000_000
"""A report is smaller than this, so that it can be mailed."""

_MOST_ROWS = 3_000
_MOST_BOXES = 500
"""A diagram of more is nothing to look at, and takes long to lay out."""
_HERE = Path(__file__).parent


def report_html(result: Result, base: Architecture, target: Architecture) -> str:
    """A finished diff of these two architectures as one HTML document of less than ``MOST_BYTES``.

    Experts are folded; where that is still too much, the rows that changed least are left out, and
    the report says how many.
    """
    every = read_rows(result.changes, base, target)
    frame = _Report(result, base, target)
    most = _MOST_ROWS
    while True:
        document = frame.document(most_telling(every, most), len(every))
        if len(document.encode()) < MOST_BYTES or most < 2:
            return document
        most //= 2


class _Report:
    """What does not depend on how many rows are shown is made once."""

    def __init__(self, result: Result, base: Architecture, target: Architecture) -> None:
        self._result = result
        self._header = result.header
        self._title = f"{result.header.base_reference} → {result.header.target_reference}"
        reading = read_changes(result.changes)
        self._words = section(
            "words",
            "In words",
            f'<p class="headline">{text(reading.headline, 2000)}</p>',
            paragraphs(reading.facts),
            "<h3>What this is like</h3>" if reading.inference else "",
            paragraphs(reading.inference, "inference"),
        )
        self._diagram = _diagram(result, target)
        self._architecture = section(
            "architecture",
            "Architecture",
            facts_html(compare_facts(base, target)),
            parts_html(read_parts(base, target)),
        )

    def document(self, rows: Sequence[Row], of: int) -> str:
        """The document with these of all rows."""
        shown = scales(rows)
        metrics = tuple(scale.metric for scale in shown)
        body = (
            _heading(self._title, self._header),
            self._words,
            _heatmap(rows, shown, of),
            self._diagram,
            self._architecture,
            _table(rows, metrics, of, len(self._result.changes)),
            section("guide", "How to read this", guide_html(metrics)),
            f"<footer>Made by modeldiff {text(self._header.version)} from the result "
            f"<code>{self._result.key[:12]}</code>. This file asks nothing of any network."
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
            f"<style>{colours_css()}{_asset('report.css')}</style></head><body>"
            f'{"".join(body)}<div id="tip" role="tooltip" hidden></div>'
            f"<script>{script}</script></body></html>\n"
        )


def _heading(title: str, header: ResultHeader) -> str:
    options = json.dumps(dict(header.options)) if header.options else "none"
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
        f"options: {text(options, 1000)}</dd></dl></header>"
    )


def _heatmap(rows: Sequence[Row], shown: Sequence[Scale], of: int) -> str:
    options = "".join(
        f'<option value="{scale.metric.key}" data-top="{scale.top!r}"'
        f' data-rises="{int(scale.metric.rises)}"'
        f' data-says="{text(scale.metric.description, 500)}">{text(scale.metric.label)}</option>'
        for scale in shown
    )
    chooser = (
        f'<label class="needs-script">Metric <select id="metric">{options}</select></label>'
        if len(shown) > 1
        else ""
    )
    first = shown[0] if shown else None
    says = text(first.metric.description, 500) if first else "Nothing could be measured."
    legends = "".join(legend_html(scale, shown=scale is first) for scale in shown)
    return section(
        "heatmap",
        "Where",
        f'<div class="controls">{chooser}{legends}</div><p id="says">{says}</p>',
        '<div class="beside"><div><div class="scroll">',
        heatmap_svg(rows, first),
        f"</div>{marks_html(rows)}{_left_out(rows, of)}</div>",
        '<aside id="panel" aria-live="polite"><p>Each cell is a tensor, or the experts of one '
        "layer merged. Choose one to see its numbers.</p></aside></div>",
    )


def _left_out(rows: Sequence[Row], of: int) -> str:
    if len(rows) == of:
        return ""
    return (
        f"<p><strong>{of - len(rows):,} of {of:,} rows are left out</strong>, those that changed "
        "least, to keep this file small. The CSV, JSON and Parquet files of the same diff have "
        "every tensor.</p>"
    )


def _table(rows: Sequence[Row], metrics: Sequence[Metric], of: int, tensors: int) -> str:
    caption = f"{len(rows):,} rows for {tensors:,} tensors"
    return section(
        "table",
        "Every number",
        '<div class="controls needs-script"><label>Contains <input id="filter" type="search"'
        ' maxlength="200" autocomplete="off"></label> <label>Status <select id="status">'
        '<option value="">all</option></select></label> <output id="count"></output></div>',
        table_html(rows, metrics, caption),
        _left_out(rows, of),
        "<p>Experts of a layer are one row, and so are a component over all layers and a layer "
        "over all components. Each expert has a row of its own in the CSV, JSON and Parquet files."
        "</p>",
    )


def _diagram(result: Result, architecture: Architecture) -> str:
    content = "<p>The diagram of this model is too large for a page.</p>"
    if _boxes(architecture) <= _MOST_BOXES:
        drawing = diagram_svg(
            architecture,
            layer=None,
            changes=result.changes,
            metric=METRICS[0],
            palette=REPORT_PALETTE,
        )
        content = f'<div class="scroll drawing">{drawing}</div>'
    return section(
        "diagram",
        "In its place",
        "<p>The target as data passes through it, each parameter with its median relative change "
        "over all layers.</p>",
        content,
    )


def _boxes(architecture: Architecture) -> int:
    """How many boxes a diagram of all kinds of layers has."""
    sublayers = (each for kind in architecture.layer_kinds for each in kind.sublayers)
    inside = sum(len(row) for sublayer in sublayers for row in sublayer.rows)
    return len(architecture.stem) + inside + len(architecture.tail)


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
