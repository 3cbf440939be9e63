"""Dense or sparse: the median against relative Frobenius, and how far those moved that did."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modeldiff.findings.evidence import Evidence
from modeldiff.text.formatting import format_pct


def describe_spread(evidence: Evidence) -> Iterator[str]:
    """A sentence on how the change is spread over the elements of what moved."""
    moved = evidence.where_moved
    if moved is None:
        return
    statistics = moved.statistics
    median, frobenius = statistics.median_pct, statistics.rel_frobenius_pct
    unchanged = statistics.unchanged_pct
    if median is None or frobenius is None or unchanged is None or math.isinf(median):
        return
    where = "In the matrices that moved, " if evidence.moved_matrices else "Where something moved, "
    share = format_pct(100 - unchanged)
    step = format_pct(moved.middle_step_pct)
    if moved.is_sparse:
        text = (
            f"the change is sparse: {share} of the elements moved, and these by {step} in the "
            f"middle, while relative Frobenius is {format_pct(frobenius)}"
        )
    elif moved.rounds_away:
        text = (
            f"{share} of the elements moved, most by no more than a step or two of the stored type "
            f"({step} in the middle): so does a small dense update that rounds away"
        )
    elif frobenius > 1.5 * median:
        text = (
            f"large elements carry the change: relative Frobenius is {format_pct(frobenius)}, the "
            f"median {format_pct(median)}"
        )
    elif median > 1.5 * frobenius:
        text = (
            f"small elements moved furthest for their size: the median is {format_pct(median)}, "
            f"relative Frobenius {format_pct(frobenius)}"
        )
    else:
        text = (
            f"the change is dense: relative Frobenius ({format_pct(frobenius)}) is close to the "
            f"median ({format_pct(median)})"
        )
    yield f"{where}{text}."
