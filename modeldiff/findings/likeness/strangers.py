"""Matrices that share nothing with what stands at their place in base."""

from __future__ import annotations

from collections.abc import Iterable

from modeldiff.changes import Change, Statistics
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, is_equal, is_moved
from modeldiff.findings.words import places_words
from modeldiff.text.formatting import format_cosine, format_pct

UNRELATED_MEDIAN_PCT = 100 * 2**0.5
"""The median of two unrelated matrices of equal scale."""


def is_unrelated(statistics: Statistics | None) -> bool:
    """Whether this shares no more with base than another model's tensor would, by all numbers."""
    if statistics is None:
        return False
    median, flips = statistics.median_pct, statistics.sign_flip_pct
    if median is None or median <= 0.6 * UNRELATED_MEDIAN_PCT or flips is None or flips <= 35:
        return False
    cosine = statistics.cosine
    return cosine is not None and abs(cosine) < 0.2


def strangers_of(evidence: Evidence) -> list[Change]:
    """The layers' matrices that share nothing with their partners."""
    return [c for c in evidence.of_kinds(LEVEL_KINDS) if is_unrelated(c.statistics)]


def partners_lost(evidence: Evidence) -> tuple[str, ...]:
    """Some layers' matrices share nothing with their partners, and others do."""
    strangers, rows = strangers_of(evidence), evidence.of_kinds(LEVEL_KINDS)
    if not strangers or len(strangers) == len(rows):
        return ()
    if _layers_of(strangers) <= _layers_of(c for c in rows if not is_unrelated(c.statistics)):
        where = "others of the same layers do not"
        like = "rows, heads or neurons were permuted, or matrices re-initialised"
    else:
        where, like = "others do not", "layers were replaced, inserted, removed or moved"
    have = "has" if len(strangers) == 1 else "have"
    return (
        f"{len(strangers):,} of {len(rows):,} matrices {have} a cosine near 0 with base's at "
        f"the same place, while {where}, as when {like}. This says nothing about training.",
    )


def all_unrelated(evidence: Evidence) -> tuple[str, ...]:
    """All layers' matrices share nothing with their partners."""
    statistics = evidence.moved_matrices
    rows = evidence.of_kinds(LEVEL_KINDS)
    if statistics is None or not is_unrelated(statistics) or not all(map(is_moved, rows)):
        return ()
    if same := [c for c in evidence.of_kinds(("embeddings and head",)) if is_equal(c)]:
        places = places_words([change.pair.place for change in same])
        return (
            "The layers' matrices have a cosine near 0 with base's at the same places, while "
            f"{places} did not move, as when layers, heads or neurons were permuted. This says "
            "nothing about training.",
        )
    cosine, flips = format_cosine(statistics.cosine), format_pct(statistics.sign_flip_pct)
    return (
        "Like unrelated weights.",
        f"The matrices' median change is {format_pct(statistics.median_pct)}, their cosine "
        f"{cosine}, with {flips} of signs flipped; for unrelated ones of equal scale these are "
        f"{format_pct(UNRELATED_MEDIAN_PCT)}, 0 and 50 %.",
    )


def _layers_of(changes: Iterable[Change]) -> set[tuple[str, int | None]]:
    return {(change.pair.place.tower, change.pair.place.layer) for change in changes}
