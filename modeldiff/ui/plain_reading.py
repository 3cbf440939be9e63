"""A summary in plain sentences: what the numbers say, and what they do not."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modeldiff.changes import Statistics, Status
from modeldiff.drawings import METRICS, format_count, format_pct
from modeldiff.results import Summary

_UNRELATED_PCT = METRICS[0].ceiling or math.inf

_LEFT_OUT: dict[Status, str] = {
    "different_shape": "{} of another shape",
    "only_in_base": "{} only in base",
    "only_in_target": "{} only in target",
    "unreadable": "{} unreadable",
    "buffer": "{} without trained values",
    "tied": "{} tied to one that is measured",
}


def read_summary(summary: Summary) -> tuple[str, ...]:
    """Sentences about a finished diff, as Markdown without any text from files."""
    return tuple(_sentences(summary))


def _sentences(summary: Summary) -> Iterator[str]:
    statistics = summary.statistics
    if statistics is None or statistics.median_pct is None:
        yield "**No tensor could be compared.**"
    elif statistics.unchanged_pct == 100:
        yield f"**The weights are identical:** all {format_count(summary.elements)} compared "
        yield "elements are equal, bit for bit."
    else:
        yield from _change(statistics, statistics.median_pct)
    left_out = [
        words.format(f"{count:,}")
        for status, words in _LEFT_OUT.items()
        if (count := summary.statuses.get(status, 0))
    ]
    if left_out:
        yield f"Not measured: {', '.join(left_out)}."


def _change(statistics: Statistics, median: float) -> Iterator[str]:
    unchanged = format_pct(statistics.unchanged_pct)
    if math.isinf(median):
        yield f"**Most base values are zero**, so the median is infinite; {unchanged} are equal."
        return
    if median == 0:
        yield f"**{unchanged} of all elements are equal, bit for bit,** and so the median is 0."
    else:
        yield (
            f"**Half of all elements moved by less than {format_pct(median)} of their base "
            f"value,** half by more; {unchanged} are equal, bit for bit."
        )
    resolution = statistics.resolution_pct
    if resolution is not None and median < resolution:
        yield (
            f"The stored type moves in steps of {format_pct(resolution)} at the finest: a smaller "
            "update rounds away, so here the share of equal elements says more than the median."
        )
    if median >= 0.7 * _UNRELATED_PCT:
        yield (
            f"Two unrelated matrices of equal scale would show {format_pct(_UNRELATED_PCT)}: "
            "by this number the two have nothing in common."
        )
    frobenius = statistics.rel_frobenius_pct
    if frobenius is not None and frobenius > max(2 * median, resolution or 0.0):
        yield (
            f"Measured by length the change is {format_pct(frobenius)}, well above the median: "
            "a part of the elements carries most of it."
        )
