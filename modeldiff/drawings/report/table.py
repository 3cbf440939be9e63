"""The table of all rows. It is the page's only data: the script reads from it what it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from modeldiff.changes import Statistics
from modeldiff.changes.change import Histogram
from modeldiff.changes.statistics.histogram import bucket_edges
from modeldiff.drawings.heatmap.marks import NOT_FINITE
from modeldiff.drawings.report.html import text
from modeldiff.drawings.report.rows import MARGINS, ReportRows, Row
from modeldiff.drawings.style.metrics import Metric
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.text.formatting import format_count, format_pct, format_small

DETAIL_COLUMNS = (
    ("5th percentile", "p05_pct"),
    ("25th percentile", "p25_pct"),
    ("75th percentile", "p75_pct"),
    ("99th percentile", "p99_pct"),
    ("Floor of the stored type", "resolution_pct"),
    ("Zeros in base", "base_zero_pct"),
    ("Mean absolute change", "mean_abs_delta"),
    ("RMS of base", "rms_base"),
    ("RMS of target", "rms_target"),
)
"""Statistics that only the panel of a chosen cell shows: what they are called, and their column."""

DECADES = (-4, 3)
"""The distribution's ends: 0.0001 % and 1000 % of the base value, as powers of ten."""

BARS_A_DECADE = 6
_HEIGHTS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STATUS_LABELS: Mapping[str, str] = {status: words.label for status, words in STATUS_WORDS.items()}


def table_html(rows: ReportRows, caption: str) -> str:
    """One table row a row, with an id that the heatmap's cell of the same number links to."""
    metrics = rows.metrics
    names = ("Layer", "Component", "Tensors", "Status", "Shape", *(m.label for m in metrics))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in (*names, "Stored as"))
    labels = "|".join(label for label, _ in DETAIL_COLUMNS)
    body = "".join(_row(number, row, metrics) for number, row in enumerate(rows.rows))
    keys = " ".join(metric.key for metric in metrics)
    return (
        f'<div class="scroll tall" tabindex="0" role="region" aria-label="Table of tensors">'
        f'<table id="rows" data-details="{text(labels, 1000)}" data-metrics="{keys}"'
        f' data-decades="{DECADES[0]} {DECADES[1]}">'
        f"<caption>{text(caption, 1000)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(number: int, row: Row, metrics: Sequence[Metric]) -> str:
    statistics = row.statistics
    values = [metric.value(statistics) for metric in metrics]
    layer = {"whole": "all", "column": "all"}.get(row.region, "")
    layer = row.layer_label or layer
    status = _STATUS_LABELS.get(row.status, row.status)
    if row.broken:
        status = f"{status}, {NOT_FINITE}"
    numbers = "".join(
        f"<td>{text(metric.format(value))}</td>"
        for metric, value in zip(metrics, values, strict=True)
    )
    attributes = f' data-p="{text(row.place)}" data-v="{",".join(map(_plain, values))}"'
    if statistics is not None:
        attributes += f' data-q="{"|".join(map(text, _details(statistics)))}"'
        if statistics.histogram is not None:
            attributes += f' data-h="{distribution(statistics.histogram)}"'
    if row.note:
        attributes += f' data-note="{text(row.note)}"'
    margin = ' class="margin"' if row.region in MARGINS else ""
    name = {"whole": "whole model", "layer": "all its tensors"}.get(row.region, row.column)
    return (
        f'<tr id="r{number}"{margin}{attributes}><td>{text(layer)}</td>'
        f'<th scope="row"><a href="#c{number}">{text(name)}</a></th>'
        f"<td>{format_count(row.tensors)}</td><td>{text(status)}</td><td>{text(row.shapes)}</td>"
        f"{numbers}<td>{text(row.stored)}</td></tr>"
    )


def _plain(value: float | None) -> str:
    """A number for the script: empty where there is none."""
    if value is None or math.isnan(value):
        return ""
    return "Infinity" if math.isinf(value) else f"{value:.6g}"


def _details(statistics: Statistics) -> list[str]:
    values = [(name, getattr(statistics, name)) for _, name in DETAIL_COLUMNS]
    return [format_pct(v) if name.endswith("_pct") else format_small(v) for name, v in values]


def distribution(histogram: Histogram) -> str:
    """How often each size of change occurs, a character a bar, the highest ``z``.

    The first bar holds what is smaller than ``DECADES`` begin, the last what is larger; elements
    that did not change are in none. Empty where nothing changed.
    """
    first, last = DECADES
    count = (last - first) * BARS_A_DECADE
    bars = np.zeros(count, np.int64)
    lower = 100 * bucket_edges(histogram.buckets)
    with np.errstate(divide="ignore"):
        at = np.floor((np.log10(lower) - first) * BARS_A_DECADE)
    np.add.at(bars, np.clip(at, 0, count - 1).astype(np.int64), histogram.counts)
    most = int(bars.max(initial=0))
    if most <= 0:
        return ""
    # What occurs at all is seen.
    return "".join(_HEIGHTS[-(-int(bar) * (len(_HEIGHTS) - 1) // most)] for bar in bars)
