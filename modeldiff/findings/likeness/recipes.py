"""What a change is like where it is no training of all weights: each told by facts that exclude
others.

A recipe answers with sentences, or with none where the facts are not those. Where one answers, no
level of training is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

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
    became_zero,
    expected_flips,
    few_flips,
    grid_rounding,
    narrower_types,
    type_rounding,
)
from modeldiff.findings.likeness.size_groups import SizedRows, size_groups
from modeldiff.findings.likeness.still_parts import adapters_alone, parts_stood_still
from modeldiff.findings.likeness.strangers import all_unrelated, partners_lost
from modeldiff.findings.merged_adapters import known_adapter
from modeldiff.findings.quantised.describe import lossy_likeness
from modeldiff.findings.words import AS_FAR, enumeration, places_words
from modeldiff.text.formatting import counted, format_cosine, format_pct

_WELL_BEYOND = 2.0
"""What moved by more than so many times what rounding moves, moved for other reasons too."""

_MANY = 0.01
"""From this share on, elements that became zero are told."""

RecipeCheck = Callable[[Evidence], tuple[str, ...]]


def describe_recipe(evidence: Evidence) -> tuple[str, ...]:
    """The sentences of the first recipe whose facts are there, the gist first; empty if none's."""
    return next(filter(None, (recipe(evidence) for recipe in _RECIPES)), ())


def _all_explained(evidence: Evidence) -> tuple[str, ...]:
    """Nothing is left to say where a witness explains all that moved."""
    if any(c.pair.place not in evidence.explained for c in evidence.moved):
        return ()
    explained = "All that moved is explained"
    if evidence.sampled:
        explained += f", {AS_FAR}"
    if any(c.statistics and c.statistics.rms_base == 0.0 for c in evidence.moved):
        return (f"{explained}, or was zero in base; no kind of training is named.",)
    if evidence.remainder_pct:
        return (
            f"{explained}, but for up to {format_pct(evidence.remainder_pct)}; no kind of training "
            "is named for that.",
        )
    return (f"{explained}; no training shows in it.",)


def _lossy_types(evidence: Evidence) -> tuple[str, ...]:
    """Weights in types that lose much: whether more than that moved them, and no more."""
    sentences = lossy_likeness(evidence)
    if not sentences:
        return ()
    return partners_lost(evidence) or all_unrelated(evidence) or sentences


def _only_norms(evidence: Evidence) -> tuple[str, ...]:
    kinds = {kind_of(change) for change in evidence.moved}
    matrices = [c for c in evidence.compared if kind_of(c) not in ("norms", "vectors")]
    if not matrices or not kinds <= {"norms", "vectors"}:
        return ()
    what = "biases and other vectors"
    if "norms" in kinds:
        what = "norms" if len(kinds) == 1 else f"norms, {what}"
    return (
        f"Only {what} moved; all {len(matrices):,} matrices are exactly equal, as when vectors are "
        "tuned on their own, edited, or stored by another convention.",
    )


def _partly_zeroed(evidence: Evidence) -> tuple[str, ...]:
    """Many elements became zero, and others moved, too."""
    moved = evidence.where_moved
    share = became_zero(moved.statistics) if moved else 0.0
    if share < _MANY:
        return ()
    return (
        f"About {format_pct(100 * share)} of the elements where matrices moved became zero, as in "
        "pruning or rounding to few bits, and others moved as well: how much training that is "
        "can't be told.",
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
    if math.fsum(expected_flips(c.statistics) for c in rows if c.statistics) < NO_CHANCE:
        return ("The change is too small, or of too few elements, to tell training from rounding.",)
    # Where most of an update rounds away, what is left flips fewer: few alone are no sign.
    odd = list(rows) if few_flips(rows) else [change for change in rows if few_flips([change])]
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


def _is_scaled(statistics: Statistics) -> bool:
    """Whether the direction is far nearer to base's than the size of the change alone allows."""
    distance, frobenius = cosine_distance(statistics), statistics.rel_frobenius_pct
    floor = statistics.resolution_pct or 0.0
    if distance is None or frobenius is None or frobenius <= max(floor, 0.1):
        return False
    return distance < 0.2 * (frobenius / 100) ** 2 / 2


_RECIPES: tuple[RecipeCheck, ...] = (
    _all_explained,
    adapters_alone,
    known_adapter,
    _lossy_types,
    type_rounding,
    grid_rounding,
    _only_norms,
    partners_lost,
    all_unrelated,
    _partly_zeroed,
    _scale,
    parts_stood_still,
    _two_groups,
    _sparse,
    _small_stood_still,
    _signs_disagree,
    _mostly_rounding,
)
