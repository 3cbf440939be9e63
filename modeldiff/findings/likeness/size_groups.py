"""Whether the layers' matrices fall into two groups: some moved far, the others hardly."""

from __future__ import annotations

import math

from modeldiff.changes import Change
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence

_APART = 5.0
"""Two groups of matrices lie at least so many times apart."""
_LEAST_OF_GROUP = 0.05

SizedRows = tuple[tuple[float, Change], ...]
"""Rows with their relative Frobenius change in percent, ascending."""


def size_groups(evidence: Evidence) -> tuple[SizedRows, SizedRows] | None:
    """Those of the layers' matrices that hardly moved, and those that moved far, where nothing lies
    between; None where they are one group."""
    sized = sorted(
        (
            (value, change)
            for change in evidence.moved_of_kinds(LEVEL_KINDS)
            if change.statistics
            and (value := change.statistics.rel_frobenius_pct)
            and math.isfinite(value)
        ),
        key=lambda each: each[0],
    )
    least = max(1, math.ceil(_LEAST_OF_GROUP * len(sized)))
    cuts = [(sized[at][0] / sized[at - 1][0], at) for at in range(least, len(sized) - least + 1)]
    ratio, cut = max(cuts, default=(0.0, 0))
    return (tuple(sized[:cut]), tuple(sized[cut:])) if ratio >= _APART else None
