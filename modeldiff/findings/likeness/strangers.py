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
        where = "others of the same layers do"
        look = "rows, heads or neurons look that stand in another order, or matrices made anew"
    else:
        where, look = "others do", "layers look that were replaced, inserted, taken out or moved"
    shares = "shares" if len(strangers) == 1 else "share"
    return (
        f"{len(strangers):,} of {len(rows):,} matrices {shares} nothing with what stands there "
        f"in base, while {where}: so do {look}. It says nothing of training.",
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
            "The layers' matrices share nothing with what stands at their places in base, while "
            f"{places} did not move: so do layers look that stand in another order, or whose heads "
            "and neurons do. It says nothing of training.",
        )
    cosine, flips = format_cosine(statistics.cosine), format_pct(statistics.sign_flip_pct)
    return (
        "Like unrelated weights, by all numbers of the matrices.",
        f"Their median is {format_pct(statistics.median_pct)} (two of equal scale that share "
        f"nothing have {format_pct(UNRELATED_MEDIAN_PCT)}), cosine {cosine}, {flips} of signs "
        "flipped (0 and 50 %).",
    )


def _layers_of(changes: Iterable[Change]) -> set[tuple[str, int | None]]:
    return {(change.pair.place.tower, change.pair.place.layer) for change in changes}
