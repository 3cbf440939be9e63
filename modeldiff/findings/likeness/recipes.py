"""What a change is like where it is no training of all weights: each told by facts that exclude
others.

A recipe answers with sentences, or with none where the facts are not those. Where one answers, no
level of training is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from modeldiff.changes import Change, Statistics
from modeldiff.changes.statistics.statistics import cosine_distance
from modeldiff.findings.evidence import (
    LEVEL_KINDS,
    Evidence,
    Moved,
    is_equal,
    is_moved,
    kind_of,
    mean_frobenius,
    mostly_still,
)
from modeldiff.findings.likeness.rounding import (
    NO_CHANCE,
    TYPICAL_ROUNDING,
    expected_flips,
    grid_rounding,
    narrower_types,
    type_rounding,
)
from modeldiff.findings.likeness.strangers import all_unrelated, is_unrelated, partners_lost
from modeldiff.findings.size_groups import SizedRows, size_groups
from modeldiff.findings.words import counted, enumeration, places_words
from modeldiff.text.formatting import format_cosine, format_pct

_WELL_BEYOND = 2.0
"""What moved by more than so many times what rounding moves, moved for other reasons too."""
_FEW_FLIPS = 0.1
"""Fewer than this share of what noise would flip is not noise."""

RecipeCheck = Callable[[Evidence], tuple[str, ...]]


def describe_recipe(evidence: Evidence) -> tuple[str, ...]:
    """The sentences of the first recipe whose facts are there, the gist first; empty if none's."""
    return next(filter(None, (recipe(evidence) for recipe in _RECIPES)), ())


def _all_explained(evidence: Evidence) -> tuple[str, ...]:
    """Nothing is left to say where a witness explains all that moved."""
    left = any(c.pair.place not in evidence.explained for c in evidence.moved)
    return () if left else ("All that moved is explained; no kind of training is named.",)


def _only_norms(evidence: Evidence) -> tuple[str, ...]:
    kinds = {kind_of(change) for change in evidence.moved}
    matrices = [c for c in evidence.compared if kind_of(c) not in ("norms", "vectors")]
    if not matrices or not kinds <= {"norms", "vectors"}:
        return ()
    what = "norms" if kinds == {"norms"} else "norms, biases and other vectors"
    return (
        f"Only {what} moved; all {len(matrices):,} matrices are exactly equal, as when vectors are "
        "tuned on their own, edited, or stored by another convention.",
    )


def _scale(evidence: Evidence) -> tuple[str, ...]:
    statistics = evidence.moved_matrices
    if statistics is None or not _is_scaled(statistics):
        return ()
    cosine, flips = format_cosine(statistics.cosine), format_pct(statistics.sign_flip_pct)
    return (
        f"The direction of the matrices is nearly the same (cosine {cosine}, {flips} of signs "
        f"flipped), although relative Frobenius is {format_pct(statistics.rel_frobenius_pct)}: "
        "their scale changed more than their direction.",
    )


def _parts_stood_still(evidence: Evidence) -> tuple[str, ...]:
    """What stands still while other matrices move says how target was made."""
    rows = [c for c in evidence.compared if kind_of(c) not in ("norms", "vectors")]
    rows = [c for c in rows if c.pair.place not in evidence.explained]
    equal, moved = [c for c in rows if is_equal(c)], [c for c in rows if is_moved(c)]
    if not equal or not moved:
        return ()
    where = places_words([c.pair.place for c in equal])
    lead = f"{len(equal):,} of {len(rows):,} matrices are unchanged ({where})"
    if (spread := evidence.where_moved) and spread.rounds_away:
        return (
            f"{lead}: left alone or frozen, or their change rounded away, as much of it did in the "
            "others.",
        )
    return (f"{lead}, so not all weights were trained: {_kind_of_part(evidence, moved)}",)


def _kind_of_part(evidence: Evidence, moved: Sequence[Change]) -> str:
    columns = {change.pair.place.column for change in moved}
    layers = {change.pair.place.layer for change in moved}
    rows = [c for c in evidence.compared if c.pair.place.column in columns]
    small = any(is_moved(c) for c in evidence.of_kinds(("norms", "vectors")))
    if len(moved) == 1:
        return "a single matrix moved, as in a direct edit of the weights."
    if layers == {None} and all(is_unrelated(change.statistics) for change in moved):
        return (
            "only tensors outside the layers moved, and they are unrelated to base's, as when they "
            "were initialised anew or belong to another vocabulary."
        )
    if layers == {None}:
        return "only tensors outside the layers moved, as when embeddings or head are tuned."
    if layers == {c.pair.place.layer for c in rows} and all(map(is_moved, rows)):
        if small or None in layers:
            return "the same components moved in all layers, as when the others are frozen."
        return (
            "the same components moved in all layers, as when adapters (LoRA) are merged into "
            "them or the others are frozen."
        )
    return "as if a part had been frozen, or weights edited."


def _two_groups(evidence: Evidence) -> tuple[str, ...]:
    """Matrices that moved much, others that hardly did, and none between."""
    groups = size_groups(evidence)
    if groups is None:
        return ()
    few, many = groups
    return (
        f"The matrices fall into two groups with nothing in between: {_group(many)}, "
        f"and {_group(few)}. That is unlike one training of all weights.",
    )


def _group(sized: SizedRows) -> str:
    low, high = format_pct(sized[0][0]), format_pct(sized[-1][0])
    places = places_words([change.pair.place for _, change in sized])
    return f"{len(sized):,} moved by {low} to {high} (relative Frobenius; {places})"


def _sparse(evidence: Evidence) -> tuple[str, ...]:
    """Matrices in which few elements moved, and these far."""
    rows = evidence.moved_of_kinds(LEVEL_KINDS)
    # Most rows are told by their median, without a look into their histogram.
    few = [
        change
        for change in rows
        if change.statistics
        and mostly_still(change.statistics)
        and (moved := Moved.of(change.statistics))
        and moved.is_sparse
    ]
    whole = evidence.where_moved
    if not few and not (whole and whole.is_sparse):
        return ()
    if len(few) in (0, len(rows)):
        where = "Few elements moved"
    else:
        places = places_words([change.pair.place for change in few])
        where = f"In {len(few):,} of {len(rows):,} matrices ({places}) few elements moved"
    return (
        f"{where}, and those far: like an edit, a sparse merge or a mask, unlike the small steps "
        "of dense training.",
    )


def _small_stood_still(evidence: Evidence) -> tuple[str, ...]:
    """Norms and biases that stood still where a step like the matrices' would have been seen."""
    still = list(_visibly_still(evidence))
    if not still:
        return ()
    places = places_words([change.pair.place for change in still])
    return (
        f"{counted(len(still), 'vector')} (norms, biases and the like) did not move "
        f"({places}), though steps as large as the matrices' would show in them: not all weights "
        "were trained.",
    )


def _visibly_still(evidence: Evidence) -> Iterator[Change]:
    rows = evidence.of_kinds(LEVEL_KINDS)
    steps = sorted(
        c.statistics.mean_abs_delta
        for c in rows
        if c.statistics and c.statistics.mean_abs_delta is not None
    )
    if not steps:
        return
    step = steps[len(steps) // 2]
    for change in evidence.of_kinds(("norms", "vectors")):
        statistics = change.statistics
        if statistics is None or not is_equal(change) or statistics.rms_base is None:
            continue
        # A step of less than half the type's own rounds away, and that is at most this.
        if step > 2 * statistics.rms_base * (statistics.resolution_pct or 0.0) / 100:
            yield change


def _signs_disagree(evidence: Evidence) -> tuple[str, ...]:
    """Too few signs flipped for noise of this size, as where a change is bound to each value; or
    too few elements to tell."""
    rows = evidence.moved_of_kinds((*LEVEL_KINDS, "embeddings and head"))
    expected = [expected_flips(c.statistics) if c.statistics else 0.0 for c in rows]
    if math.fsum(expected) < NO_CHANCE:
        return ("The change is too small, or of too few elements, to tell training from rounding.",)
    # Where most of an update rounds away, what is left flips fewer: few alone are no sign.
    odd = [
        change
        for change, n in zip(rows, expected, strict=True)
        if n >= NO_CHANCE and _flips(change) < _FEW_FLIPS * n
    ]
    if sum(map(_flips, rows)) < _FEW_FLIPS * math.fsum(expected):
        odd = list(rows)
    if not odd:
        return ()
    places = places_words([change.pair.place for change in odd])
    return (
        f"In {len(odd):,} of {len(rows):,} matrices ({places}) far fewer signs flipped than noise "
        "of this size would flip: the change scales with each value, or sits in large values.",
    )


def _mostly_rounding(evidence: Evidence) -> tuple[str, ...]:
    """Matrices in a narrower type that moved by little more than rounding to it alone would."""
    rows = [c for c in evidence.of_kinds(LEVEL_KINDS) if is_moved(c)]
    types = narrower_types(rows)
    steps = [c.statistics.resolution_pct or 0.0 for c in rows if c.statistics]
    mean = mean_frobenius(rows)
    if not types or mean is None or len(steps) != len(rows):
        return ()
    alone = TYPICAL_ROUNDING * math.fsum(steps) / len(steps)
    if mean > _WELL_BEYOND * alone:
        return ()
    return (
        f"Rounding to {enumeration(sorted(types))} alone moves a matrix by about "
        f"{format_pct(alone)}, and these moved by {format_pct(mean)} (mean relative Frobenius): "
        "how much of that is training can't be told, so no kind of training is named.",
    )


def _flips(change: Change) -> int:
    sums = change.statistics.sums if change.statistics else None
    return sums.sign_flips if sums else 0


def _is_scaled(statistics: Statistics) -> bool:
    """Whether the direction is far nearer to base's than the size of the change alone allows."""
    distance, frobenius = cosine_distance(statistics), statistics.rel_frobenius_pct
    floor = statistics.resolution_pct or 0.0
    if distance is None or frobenius is None or frobenius <= max(floor, 0.1):
        return False
    return distance < 0.2 * (frobenius / 100) ** 2 / 2


_RECIPES: tuple[RecipeCheck, ...] = (
    _all_explained,
    type_rounding,
    grid_rounding,
    _only_norms,
    partners_lost,
    all_unrelated,
    _scale,
    _parts_stood_still,
    _two_groups,
    _sparse,
    _small_stood_still,
    _signs_disagree,
    _mostly_rounding,
)
