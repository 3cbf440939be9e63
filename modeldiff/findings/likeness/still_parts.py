"""Matrices that stood still while others moved, which no training of all weights leaves."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures.naming.merged_updates import MERGED_HERE
from modeldiff.architectures.naming.plain_names import BESIDE_ADAPTER
from modeldiff.changes import Change
from modeldiff.findings.evidence import Evidence, is_equal, is_moved, kind_of
from modeldiff.findings.likeness.rounding import few_flips
from modeldiff.findings.likeness.strangers import is_unrelated
from modeldiff.findings.rounded_types import rounding_type
from modeldiff.findings.words import enumeration, places_words
from modeldiff.text.formatting import format_pct


def adapters_alone(evidence: Evidence) -> tuple[str, ...]:
    """Nothing moved but the matrices of adapters that are not merged."""
    moved = evidence.moved
    if not all(".lora_" in change.pair.place.column for change in moved):
        return ()
    others = sum(".lora_" not in change.pair.place.column for change in evidence.compared)
    beside = "no other tensor was compared" if not others else f"none of {others:,} others compared"
    return (
        f"Only the matrices of adapters (LoRA) moved, {len(moved):,} of them, and {beside}: as "
        "with two adapters of one model, or one adapter trained further.",
    )


def parts_stood_still(evidence: Evidence) -> tuple[str, ...]:
    """What stands still while other matrices move says how target was made."""
    rows = [c for c in evidence.compared if kind_of(c) not in ("norms", "vectors")]
    rows = [c for c in rows if c.pair.place not in evidence.explained]
    rounded = [c for c in rows if rounding_type(c)]
    still = [c for c in rows if is_equal(c)] + rounded
    known = {c.pair.place for c in still}
    moved = [c for c in rows if is_moved(c) and c.pair.place not in known]
    if not still or not moved:
        return ()
    where = _where(still, moved, len(rows))
    lead = f"{len(still):,} of {len(rows):,} matrices are unchanged ({where})"
    if rounded:
        types = sorted({coarse for c in rounded if (coarse := rounding_type(c))})
        lead = (
            f"{len(still):,} of {len(rows):,} matrices moved by no more than rounding to "
            f"{enumeration(types)} moves them ({where})"
        )
    spread = evidence.merged_rows(moved)
    if spread and spread.rounds_away:
        return (
            f"{lead}: left alone or frozen, or their change rounded away, as much of it did in the "
            "others.",
        )
    no = "training did not move all weights alike" if rounded else "not all weights were trained"
    return (f"{lead}, so {no}: {_kind_of_part(evidence, moved)}",)


def _adapters_are_known(evidence: Evidence) -> bool:
    """Whether adapters lie beside weights that were compared, or were merged into them here: what
    else moved was moved by something else."""
    reasons = (change.pair.reason for change in evidence.compared)
    return any(MERGED_HERE in reason or BESIDE_ADAPTER in reason for reason in reasons)


def _where(still: Sequence[Change], moved: Sequence[Change], rows: int) -> str:
    """Where nothing moved; said by the few that did, where they are all the others."""
    few = len(moved) < len(still) and len(moved) + len(still) == rows
    words = places_words([change.pair.place for change in (moved if few else still)])
    return f"all but {words}" if few else words


def _kind_of_part(evidence: Evidence, moved: Sequence[Change]) -> str:
    columns = {change.pair.place.column for change in moved}
    layers = {change.pair.place.layer for change in moved}
    rows = [c for c in evidence.compared if c.pair.place.column in columns]
    small = any(
        is_moved(c) and not rounding_type(c) for c in evidence.of_kinds(("norms", "vectors"))
    )
    spread = evidence.merged_rows(moved)
    if layers == {None} and all(is_unrelated(change.statistics) for change in moved):
        return (
            "only tensors outside the layers moved, and they are unrelated to base's, as when "
            "they were re-initialised, belong to another vocabulary, or are another tensor."
        )
    if layers == {None} and len(rows) < len(evidence.compared):
        ends = all(kind_of(change) == "embeddings and head" for change in moved)
        tuned = "embeddings or head are tuned" if ends else "it alone is tuned"
        return f"only tensors outside the layers moved, as when {tuned}."
    if len(moved) == 1:
        return "a single matrix moved, as in a direct edit of the weights."
    if spread and spread.is_sparse:
        share = format_pct(100 - (spread.statistics.unchanged_pct or 0.0))
        return (
            f"where matrices moved, only {share} of the elements did, and far: as in an edit, a "
            "sparse merge or training under a mask, not as when adapters (LoRA) are merged."
        )
    if few_flips(moved):
        return (
            "where matrices moved, far fewer signs flipped than noise of this size would flip: the "
            "change scales with each value, or sits in large values."
        )
    if layers == {c.pair.place.layer for c in rows} and all(map(is_moved, rows)):
        if small or None in layers:
            return "the same components moved in all layers, as when the others are frozen."
        merged = "" if _adapters_are_known(evidence) else "adapters (LoRA) are merged into them, "
        return (
            f"the same components moved in all layers, as when {merged}the others are frozen, or "
            "only these are quantised."
        )
    return "as if a part had been frozen, or weights edited."
