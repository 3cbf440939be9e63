"""Weights that are no numbers: on which side, in how many tensors, where."""

from __future__ import annotations

from modeldiff.findings.evidence import Evidence, compared_elements, nonfinite_of
from modeldiff.findings.words import places_words
from modeldiff.text.formatting import counted, format_count, format_share


def describe_broken(evidence: Evidence) -> str:
    """A sentence on NaN and infinity, on both sides where both have some; empty where none has."""
    if not evidence.broken:
        return ""
    if _at_the_same_places(evidence):
        return (
            f"Base and target have non-finite weights, at the same places: {_where(evidence, 0)}."
        )
    sides = [
        f"{name} has non-finite weights: {_where(evidence, side)}"
        for side, name in ((1, "Target"), (0, "Base"))
        if any(nonfinite_of(change)[side] for change in evidence.broken)
    ]
    return f"{'. '.join(sides)}."


def _where(evidence: Evidence, side: int) -> str:
    """How many values of a side are broken, in how many tensors, and where."""
    rows = [change for change in evidence.broken if nonfinite_of(change)[side]]
    values = sum(nonfinite_of(change)[side] for change in rows)
    total = sum(c.pair.base.elements for c in evidence.compared if c.pair.base)
    share = f" ({format_share(values, total)})" if values > 1 else ""
    tensors = f"{len(rows):,} of {counted(len(evidence.compared), 'tensor')}"
    places = places_words([change.pair.place for change in rows])
    return (
        f"NaN or infinity in {tensors} ({places}), {format_count(values)} of "
        f"{format_count(total)} element{'' if total == 1 else 's'}{share}"
    )


def _at_the_same_places(evidence: Evidence) -> bool:
    """Whether no element is finite on one side alone: those left out are as many as each side's."""
    for change in evidence.broken:
        assert change.pair.base is not None
        left_out = change.pair.base.elements - compared_elements(change)
        if nonfinite_of(change) != (left_out, left_out):
            return False
    return True
