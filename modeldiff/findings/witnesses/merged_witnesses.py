"""What merging an adapter explains but for roundings: one side's tensors are the other's base with
its adapter merged, and few elements lie a rounding beside it. Of updates that are hardly more than
a rounding samples tell nothing (``merged_share``); all elements do.

Where sums are taken in another order (by another library, on another processor) one rounding of
some hundred thousand falls to the neighbouring value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from modeldiff.architectures.naming.merged_updates import MERGED_HERE
from modeldiff.changes import Change
from modeldiff.findings.evidence import Moved, is_moved, nonfinite_of
from modeldiff.findings.witnesses.witness import Witness
from modeldiff.findings.words import places_words
from modeldiff.text.formatting import counted, format_pct

_MOST_OTHERWISE = 1e-3
"""Of each tensor so many of the elements may differ."""
_FURTHEST_PCT = 0.05
"""So far a tensor may be, by relative Frobenius: a step of bfloat16 in each of a thousandth of its
elements is 0.02 %."""


_FEW_STEPS = 4.0
"""99 % of these moved by no more than so many of their type's steps: a rounding, and one more where
update and value cancel each other."""
_AS_MERGED = ("adapter_idle", "adapter_share")


def merged_witnesses(changes: Iterable[Change]) -> Iterator[Witness]:
    """Of each side that has an adapter the tensors that it was merged into here and of which no
    sample told anything, where the other side's are the same but for roundings; none where all are
    equal, or one is not."""
    rows = [c for c in changes if c.statistics is not None]
    for side, other in (("base", "target"), ("target", "base")):
        merged = [c for c in rows if f"{side}: {MERGED_HERE}" in c.pair.reason]
        untold = [c for c in merged if c.relation is None]
        moved = list(filter(is_moved, untold))
        if moved and all(map(is_rounded_otherwise, untold)):
            yield _witness(side, other, untold, moved, whole=all(map(_may_be_merged, merged)))


def is_rounded_otherwise(change: Change) -> bool:
    """Whether no more of a row differs than roundings do, and no further."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None:
        return False
    size, sums, moved = statistics.rel_frobenius_pct, statistics.sums, Moved.of(statistics)
    if nonfinite_of(change) != (0, 0) or size is None or size > _FURTHEST_PCT:
        return False
    step = statistics.resolution_pct or 0.0
    if moved is not None and moved.most_steps_pct > _FEW_STEPS * step:
        return False
    return sums.n - sums.unchanged <= max(1, _MOST_OTHERWISE * sums.n)


def _may_be_merged(change: Change) -> bool:
    """Whether no sample told that a row has no update, or another share of it."""
    relation = change.relation
    return relation is None or (relation.kind in _AS_MERGED and relation.low == 1.0)


def _witness(
    side: str, other: str, merged: Sequence[Change], moved: Sequence[Change], *, whole: bool
) -> Witness:
    known = [change.statistics for change in merged if change.statistics]
    sums = [statistics.sums for statistics in known if statistics.sums]
    differ, elements = sum(s.n - s.unchanged for s in sums), sum(s.n for s in sums)
    furthest = max(statistics.rel_frobenius_pct or 0.0 for statistics in known)
    places = places_words([change.pair.place for change in merged])
    return Witness(
        f"{counted(len(merged), 'tensor')} of {other} {'is' if len(merged) == 1 else 'are'} what "
        f"merging {side}'s adapter into its base gives ({places}), but for {differ:,} of "
        f"{elements:,} elements (relative Frobenius {format_pct(furthest)} at most).",
        frozenset(change.pair.place for change in moved),
        f"Like {side}'s adapter merged into its base: so few roundings differ where sums are taken "
        "in another order, as by another library or processor."
        if whole
        else "",
    )
