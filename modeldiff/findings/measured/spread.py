"""Dense or sparse: the median against relative Frobenius, and how far those moved that did."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modeldiff.changes import Pair, Statistics, merge_statistics
from modeldiff.findings.evidence import Evidence, Moved
from modeldiff.findings.likeness.rounding import became_zero
from modeldiff.findings.likeness.size_groups import size_groups
from modeldiff.text.formatting import counted, format_pct


def describe_spread(evidence: Evidence) -> Iterator[str]:
    """How the change is spread over the elements of what moved: of two groups of matrices that
    moved to different extents, of each."""
    groups = size_groups(evidence)
    if groups is None:
        where = "In the matrices that moved" if evidence.moved_matrices else "Where something moved"
        parts = [(where, evidence.where_moved)]
    else:
        few, many = (
            [change.statistics for _, change in group if change.statistics] for group in groups
        )
        parts = [
            (f"In the {counted(len(many), 'matrix', 'matrices')} that moved most", _moved(many)),
            (f"In the {counted(len(few), 'other')}", _moved(few)),
        ]
    like = ""
    if any(change.relation is None for change in evidence.moved):
        like = ", as in a small dense update that rounds away"
        if any(_is_cast(change.pair) for change in evidence.moved):
            like += ", or the same values in another type"
    for where, moved in parts:
        if moved is not None and (sentence := _sentence(where, moved, like)):
            yield sentence


def _is_cast(pair: Pair) -> bool:
    base, target = pair.base, pair.target
    return base is not None and target is not None and base.dtype != target.dtype


def _moved(statistics: list[Statistics]) -> Moved | None:
    return Moved.of(merge_statistics(statistics))


def _sentence(where: str, moved: Moved, like: str) -> str:
    """``like`` is what steps of the stored type are as in, where that is not known otherwise."""
    statistics = moved.statistics
    median, frobenius = statistics.median_pct, statistics.rel_frobenius_pct
    unchanged = statistics.unchanged_pct
    if median is None or frobenius is None or unchanged is None or math.isinf(median):
        return ""
    share = format_pct(100 - unchanged)
    step = format_pct(moved.middle_step_pct)
    if moved.is_sparse:
        how = f"by a median of {step}"
        if became_zero(statistics) >= 0.99 * (1 - unchanged / 100):
            how = "to zero"
        elif math.isinf(moved.middle_step_pct):
            how = "mostly from zero"
        text = (
            f"the change is sparse: {share} of the elements moved, {how}; "
            f"relative Frobenius is {format_pct(frobenius)}"
        )
    elif moved.rounds_away:
        text = (
            f"{share} of the elements moved, most by no more than a step or two of the stored type "
            f"(median {step}){like}"
        )
    elif frobenius > 1.5 * median:
        text = (
            f"large elements carry the change: relative Frobenius is {format_pct(frobenius)}, the "
            f"median {format_pct(median)}"
        )
    elif median > 1.5 * frobenius:
        text = (
            f"small elements moved most for their size: the median is {format_pct(median)}, "
            f"relative Frobenius {format_pct(frobenius)}"
        )
    else:
        text = (
            f"the change is dense: relative Frobenius ({format_pct(frobenius)}) is close to the "
            f"median ({format_pct(median)})"
        )
    return f"{where}, {text}."
