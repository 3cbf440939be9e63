"""Changes that are rounding: to a stored type, to a coarser grid, to zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modeldiff.changes import Change, Statistics
from modeldiff.changes.change import Sums
from modeldiff.changes.statistics.histogram import bucket_edges
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, Moved, is_moved
from modeldiff.findings.rounded_types import is_within_step, smallest_of
from modeldiff.text.formatting import format_pct

NO_CHANCE = 30.0
"""What so many elements would do in noise of this size, and none does, is no chance."""
_FEW_FLIPS = 0.1
"""Fewer than this share of what noise would flip is not noise."""
_ONE_BUCKET = 127 << 5
"""The histogram's bucket that begins at r = 1: 100 %."""
_SMALL_ERRORS = 0.03
"""At least this share of rounding's errors lies below a quarter of the typical one."""

_ZEROED = 0.1
"""Rounding makes at least this share of those elements zero that it would of normal ones."""
_ZEROED_OF_NORMAL = math.sqrt(12 / (2 * math.pi))
"""Of normal values, what lies within half a step of zero, by the relative size of the errors."""
_FLOAT_GRIDS = {"F8_E4M3": 1 / 17, "F8_E5M2": 1 / 9, "BF16": 1 / 257, "F16": 1 / 2049}
"""How far rounding to a narrower float moves a value at most, in shares of the value."""
_SPIKE = 5.0
"""So many times as many as in both buckets beside it are no chance."""
_NEAR_LARGEST, _MIDDLE_ERROR = 0.86, 0.43
"""Of rounding's errors, in shares of the value, 1 % lie above this share of the largest, and half
of them below that: they are even up to half of the largest, and then fewer."""

TYPICAL_ROUNDING = 0.42
"""How far rounding to a float type moves a matrix, as relative Frobenius, in shares of the type's
step: errors are even between nothing and half the step of a value's octave."""

_ALIKE = 10.0
"""Rounding of one kind moves matrices by sizes whose ratio is below this."""


def type_rounding(evidence: Evidence) -> tuple[str, ...]:
    """Changes that are no larger than the stored type's own steps."""
    moved = evidence.all_moved
    floor = moved.statistics.resolution_pct if moved else None
    if moved is None or floor is None:
        return ()
    pairs = [c.pair for c in evidence.moved if c.pair.base and c.pair.target]
    types = {(p.base.dtype, p.target.dtype) for p in pairs if p.base and p.target}
    changed = any(one != other for one, other in types)
    if is_within_step(moved):
        how = "stored in" if changed else "passed through"
        step = f"the stored type's own step of {format_pct(floor)}"
    elif changed and (coarse := smallest_of(moved, set.intersection(*map(set, types)))):
        how, step = "stored in", f"half the smallest step that {coarse} has"
    else:
        return ()
    return (
        f"No more than rounding: hardly an element moved by more than {step}, as when the "
        f"same weights are {how} another type.",
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
            f"Like pruning: {format_pct(100 * differing / sums.n)} of the elements of "
            "tensors that moved were set to zero, and the others are exactly equal.",
        )
    grids = sorted(narrower_types(evidence.moved)) if _is_cast(evidence, moved) else []
    grids = grids or _float_grids(moved)
    if not grids and not _is_rounding_error(moved):
        return ()
    if not _are_alike(evidence):
        return ()
    grid = f"({', '.join(grids)})" if grids else "(int8, fp8 or fewer bits)"
    return (
        f"Like rounding to a coarser grid {grid}, and not like training: of the {differing:,} "
        "elements that moved, none changed its sign or moved by more than its own size; noise of "
        f"this size (relative Frobenius {format_pct(statistics.rel_frobenius_pct)}) would do that "
        f"to some {crossing:,.0f}.",
    )


def _is_rounding_error(moved: Moved) -> bool:
    """Whether a change is spread as rounding errors are.

    They are even between nothing and half a step, so that an eighth of them is below a quarter of
    the typical one, and go with no value's size: ⟨b − a, a⟩ is about 0 beside ‖b − a‖², where a
    factor between 0 and 2 has at least that. And they make zeros of what is nearer to zero than
    half a step, where factors of rows or columns make none.
    """
    statistics, sums = moved.statistics, moved.statistics.sums
    if sums is None or statistics.histogram is None or not statistics.rel_frobenius_pct:
        return False
    edges, quarter = bucket_edges(statistics.histogram.buckets), moved.middle_step_pct / 4
    small = statistics.histogram.counts[edges < quarter / 100].sum()
    if quarter < (statistics.resolution_pct or 0.0):
        small += sums.unchanged  # such small errors round away where the type has no such steps
    even = small > _SMALL_ERRORS * (sums.n - sums.unchanged)
    share = _ZEROED_OF_NORMAL * (statistics.rel_frobenius_pct or 0.0) / 100
    zeroed = _by_own_size(statistics) >= _ZEROED * min(share, 1.0) * sums.n
    return bool(even) and zeroed and _goes_with_no_size(sums)


def _goes_with_no_size(sums: Sums, most: float = 0.5) -> bool:
    """Whether ⟨b − a, a⟩ is below so many times ‖b − a‖², but for chance. Errors of rounding are
    about at a right angle to base; of a factor c it is 1 / (c − 1) times that."""
    chance = 4 * math.sqrt(sums.delta_squared * sums.base_squared / sums.n)
    return abs(sums.product - sums.base_squared) < most * sums.delta_squared + chance


def _is_cast(evidence: Evidence, moved: Moved) -> bool:
    """Whether everything that moved is stored in a narrower type, mostly by less than its step:
    smaller values than the type has steps for move further."""
    floor = moved.statistics.resolution_pct
    all_cast = len(_narrower(evidence.moved)) == len(evidence.moved)
    return all_cast and floor is not None and moved.middle_step_pct <= 0.75 * floor


def _float_grids(moved: Moved) -> list[str]:
    """The narrower float that values were rounded to before they were stored in another type: by up
    to half of the largest error as many moved as by any other, by more fewer, and none beyond."""
    histogram, sums = moved.statistics.histogram, moved.statistics.sums
    if histogram is None or sums is None:
        return []
    edges = bucket_edges(histogram.buckets)
    differing = sums.n - sums.unchanged
    return [
        name
        for name, most in _FLOAT_GRIDS.items()
        if moved.most_steps_pct / 100 >= _NEAR_LARGEST * most
        and moved.middle_step_pct / 100 <= _MIDDLE_ERROR * most
        and _goes_with_no_size(sums, 1 / most / 3)
        and histogram.counts[edges > most * (1 + 1 / 32)].sum() < 1e-3 * differing
    ]


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
    sums = statistics.sums
    return sums is not None and _by_own_size(statistics) == sums.n - sums.unchanged


def _by_own_size(statistics: Statistics) -> int:
    """How many elements moved by about their own size."""
    histogram = statistics.histogram
    return 0 if histogram is None else int(histogram.counts[histogram.buckets == _ONE_BUCKET].sum())


def expected_flips(statistics: Statistics) -> float:
    """How many signs noise of this size would flip: of noise f times as large as a normal matrix a
    share of atan(f) / π crosses zero; what is zero has no sign to flip."""
    sums, frobenius = statistics.sums, statistics.rel_frobenius_pct
    if sums is None or frobenius is None:
        return 0.0
    return (sums.n - sums.base_zeros) * math.atan(frobenius / 100) / math.pi


def became_zero(statistics: Statistics) -> float:
    """The share of the elements that became zero, from 0 to 1: far more moved by their own size
    than by a little more or less, and target is the smaller one."""
    sums, histogram = statistics.sums, statistics.histogram
    if sums is None or histogram is None or sums.target_squared > sums.base_squared:
        return 0.0
    beside = np.isin(histogram.buckets, (_ONE_BUCKET - 1, _ONE_BUCKET + 1))
    others = int(histogram.counts[beside].sum())
    own = _by_own_size(statistics)
    return own / sums.n if own > _SPIKE * others else 0.0


def few_flips(changes: Sequence[Change]) -> bool:
    """Whether far fewer signs flipped in these together than noise of their sizes would flip, where
    so many would that it is no chance."""
    statistics = [change.statistics for change in changes if change.statistics]
    expected = math.fsum(map(expected_flips, statistics))
    flips = sum(each.sums.sign_flips for each in statistics if each.sums)
    return expected >= NO_CHANCE and flips < _FEW_FLIPS * expected


def narrower_types(changes: Sequence[Change]) -> set[str]:
    """Target's types, where they are narrower than base's."""
    return {c.pair.target.dtype for c in _narrower(changes) if c.pair.target}


def _narrower(changes: Sequence[Change]) -> list[Change]:
    """The rows that target stores in a narrower type."""
    return [
        c
        for c in changes
        if c.pair.base and c.pair.target and c.pair.target.nbytes < c.pair.base.nbytes
    ]
