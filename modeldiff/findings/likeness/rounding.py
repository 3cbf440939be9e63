"""Changes that are rounding: to a stored type, to a coarser grid, to zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modeldiff.changes import Change, Statistics
from modeldiff.changes.statistics.histogram import bucket_edges
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, Moved, is_moved
from modeldiff.text.formatting import format_pct

NO_CHANCE = 30.0
"""What so many elements would do in noise of this size, and none does, is no chance."""
_ONE_BUCKET = 127 << 5
"""The histogram's bucket that begins at r = 1: 100 %."""
_SMALL_ERRORS = 0.03
"""At least this share of rounding's errors lies below a quarter of the typical one."""

_ALIKE = 10.0
"""Rounding of one kind moves matrices by sizes whose ratio is below this."""


def type_rounding(evidence: Evidence) -> tuple[str, ...]:
    moved = evidence.all_moved
    floor = moved.statistics.resolution_pct if moved else None
    # A bucket's middle may lie above what it holds by 1/64.
    if moved is None or floor is None or moved.most_steps_pct > floor * (1 + 1 / 64):
        return ()
    pairs = [c.pair for c in evidence.moved if c.pair.base and c.pair.target]
    types = {(p.base.dtype, p.target.dtype) for p in pairs if p.base and p.target}
    how = "stored in" if any(one != other for one, other in types) else "passed through"
    return (
        "No more than rounding: hardly an element moved by more than the stored type's own step "
        f"of {format_pct(floor)}. So do the same weights look that were {how} another type.",
    )


def grid_rounding(evidence: Evidence) -> tuple[str, ...]:
    """Rounding to the nearest of some values with zero among them moves no element by more than its
    own size, and over no zero; noise of the same size would, in elements near zero."""
    moved = evidence.all_moved
    if moved is None or moved.statistics.sums is None or moved.statistics.histogram is None:
        return ()
    statistics, sums, histogram = (
        moved.statistics,
        moved.statistics.sums,
        moved.statistics.histogram,
    )
    crossing = expected_flips(statistics)
    beyond = int(histogram.counts[histogram.buckets > _ONE_BUCKET].sum()) + histogram.infinite
    if beyond or sums.sign_flips or crossing < NO_CHANCE:
        return ()
    differing = sums.n - sums.unchanged
    if _is_zeroed(statistics):
        if abs(sums.product - sums.target_squared) > 1e-5 * sums.target_squared:
            return ()
        return (
            f"Like pruning: {format_pct(100 * differing / sums.n)} of the elements where something "
            "moved were set to zero, and the others are exactly equal.",
        )
    if not _is_rounding_error(moved) or not _are_alike(evidence):
        return ()
    coarser = sorted(_coarser_types(evidence.moved))
    grid = f"({', '.join(coarser)})" if coarser else "(int8, fp8 or fewer bits)"
    return (
        f"Like rounding to a coarser grid {grid}, and not like training: of the {differing:,} "
        "elements that moved none changed its sign or moved by more than its own size, as some "
        f"{crossing:,.0f} would in noise of this size (relative Frobenius "
        f"{format_pct(statistics.rel_frobenius_pct)}).",
    )


def _is_rounding_error(moved: Moved) -> bool:
    """Whether a change is spread as rounding errors are.

    They are even between nothing and half a step, so that an eighth of them is below a quarter of
    the typical one, and go with no value's size: ⟨b − a, a⟩ is about 0 beside ‖b − a‖², where a
    factor between 0 and 2 has at least that.
    """
    statistics, sums = moved.statistics, moved.statistics.sums
    if sums is None or statistics.histogram is None or not statistics.rel_frobenius_pct:
        return False
    edges = bucket_edges(statistics.histogram.buckets)
    small = statistics.histogram.counts[edges < moved.middle_step_pct / 100 / 4].sum()
    along = abs(sums.product - sums.base_squared)
    chance = 4 * math.sqrt(sums.delta_squared * sums.base_squared / sums.n)
    even = small > _SMALL_ERRORS * (sums.n - sums.unchanged)
    return bool(even) and along < 0.5 * sums.delta_squared + chance


def _are_alike(evidence: Evidence) -> bool:
    """Whether all matrices moved by about as much, and none by zeros alone, so that no other kind
    of change is lost in their sum."""
    moved = [
        change.statistics
        for change in evidence.of_kinds((*LEVEL_KINDS, "embeddings and head"))
        if change.statistics and is_moved(change)
    ]
    sizes = [statistics.rel_frobenius_pct or 0.0 for statistics in moved]
    alike = bool(sizes) and max(sizes) <= _ALIKE * min(sizes)
    return alike and not any(map(_is_zeroed, moved))


def _is_zeroed(statistics: Statistics) -> bool:
    """Whether every element that differs moved by its own size, as one that became zero does."""
    sums, histogram = statistics.sums, statistics.histogram
    if sums is None or histogram is None:
        return False
    by_own_size = int(histogram.counts[histogram.buckets == _ONE_BUCKET].sum())
    return by_own_size == sums.n - sums.unchanged


def expected_flips(statistics: Statistics) -> float:
    """How many signs noise of this size would flip: of noise f times as large as a normal matrix a
    share of atan(f) / π crosses zero."""
    sums, frobenius = statistics.sums, statistics.rel_frobenius_pct
    if sums is None or frobenius is None:
        return 0.0
    return sums.n * math.atan(frobenius / 100) / math.pi


def _coarser_types(changes: Sequence[Change]) -> set[str]:
    """Target's types where they are narrower than base's."""
    return {
        c.pair.target.dtype
        for c in changes
        if c.pair.base and c.pair.target and c.pair.target.nbytes < c.pair.base.nbytes
    }
