"""What a change is like, beside published pairs: hedged, and never from one number alone.

A level of change is named only where relative Frobenius, cosine and signs of the matrices agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modeldiff.changes import Change, Statistics
from modeldiff.findings.evidence import Evidence, is_moved
from modeldiff.text.formatting import format_cosine, format_pct

UNRELATED_MEDIAN_PCT = 100 * 2**0.5
"""The median of two unrelated matrices of equal scale."""


@dataclass(frozen=True)
class ReferencePoint:
    """A public pair and the mean over its tensors of their relative Frobenius change, in percent,
    as the modeldelta project published it."""

    pair: str
    mean_pct: float


REFERENCE_POINTS: tuple[ReferencePoint, ...] = (
    ReferencePoint("Tülu 3 8B SFT → DPO", 0.071),
    ReferencePoint("Qwen2.5 7B → Instruct", 1.2),
    ReferencePoint("Llama 3.1 8B → Instruct", 3.5),
    ReferencePoint("Mistral 7B v0.1 → v0.3", 12.8),
    ReferencePoint("Llama 3.1 8B → R1 distilled", 15.0),
    ReferencePoint("Qwen2 7B → Qwen2.5 7B", 58.6),
    ReferencePoint("Qwen2.5 7B → Math", 95.0),
)

# Where one kind of training gives way to the next: the geometric middle of the reference points on
# both sides. Below the first is light tuning, above the last continued pretraining alone.
_LIGHT_PCT = (0.071 * 1.2) ** 0.5
_INSTRUCT_PCT = (3.5 * 12.8) ** 0.5
_HEAVY_PCT = (15.0 * 58.6) ** 0.5


def describe_likeness(evidence: Evidence) -> Iterator[str]:
    """Sentences on what the change is like, the first one the gist; none where nothing could be
    compared."""
    if not evidence.compared:
        return
    if not evidence.moved:
        yield from _identical(evidence)
        return
    matrices = evidence.all_matrices
    if matrices is None or matrices.rel_frobenius_pct is None:
        return
    if _only_rounded(evidence):
        yield (
            "No more than rounding: hardly an element moved by more than the stored type's own "
            f"step of {format_pct(matrices.resolution_pct)}. So do the same weights look that were "
            "stored in another type."
        )
        return
    yield from _partial(evidence)
    mean = evidence.mean_frobenius(evidence.compared)
    if mean is not None:
        yield from _level(matrices, mean)


def _identical(evidence: Evidence) -> Iterator[str]:
    statuses = {change.pair.status for change in evidence.changes}
    resized = any(change.pair.shared is not None for change in evidence.changes)
    if resized or statuses & {"only_in_base", "only_in_target", "different_shape"}:
        yield (
            "What both have is the same, bit for bit: one looks like the other with parts added, "
            "removed or resized."
        )
    else:
        yield "The same model: only its files or their layout may differ."


def _only_rounded(evidence: Evidence) -> bool:
    moved = evidence.where_moved
    floor = moved.statistics.resolution_pct if moved else None
    # A bucket's middle may lie above what it holds by 1/64.
    return moved is not None and floor is not None and moved.most_steps_pct <= floor * (1 + 1 / 64)


def _partial(evidence: Evidence) -> Iterator[str]:
    """What stands still while other matrices move says how target was made."""
    moved = [change for change in evidence.matrices if is_moved(change)]
    equal = len(evidence.matrices) - len(moved)
    if not moved or len(moved) > 0.75 * len(evidence.matrices):
        return
    text = f"{equal:,} of {len(evidence.matrices):,} matrices are equal bit for bit, so this was "
    text += "no training of all weights: "
    yield text + _kind_of_part(evidence, moved)


def _kind_of_part(evidence: Evidence, moved: list[Change]) -> str:
    columns = {change.pair.place.column for change in moved}
    layers = {change.pair.place.layer for change in moved}
    all_layers = {c.pair.place.layer for c in evidence.matrices if c.pair.place.column in columns}
    if len(moved) == 1:
        return "a single matrix moved, as in an edit of the weights by hand."
    if layers == {None}:
        return "only what stands outside the layers moved, as when a vocabulary is extended."
    if layers == all_layers:
        return (
            "the same components moved in all layers, as when adapters (LoRA) are merged into "
            "them, or when the others are frozen."
        )
    return "the others are as a frozen part, or one that an edit of the weights left alone."


def _level(matrices: Statistics, mean: float) -> Iterator[str]:
    cosine, flips, median = matrices.cosine, matrices.sign_flip_pct, matrices.median_pct
    frobenius = matrices.rel_frobenius_pct
    if None in (cosine, flips, median, frobenius):
        return
    assert cosine is not None and flips is not None and median is not None
    assert frobenius is not None
    numbers = f"cosine {format_cosine(cosine)}, {format_pct(flips)} of signs flipped"
    if cosine < 0.2 and flips > 35 and median > 0.6 * UNRELATED_MEDIAN_PCT:
        yield "Like unrelated weights, by all numbers of the matrices."
        yield (
            f"Their median is {format_pct(median)} (two of equal scale that share nothing have "
            f"{format_pct(UNRELATED_MEDIAN_PCT)}), {numbers} (0 and 50 %)."
        )
        return
    if frobenius > 20 and 1 - cosine < 0.2 * (frobenius / 100) ** 2 / 2:
        yield (
            f"The direction of the matrices is nearly the same ({numbers}), although relative "
            f"Frobenius is {format_pct(frobenius)}: their scale changed more than their content."
        )
        return
    yield _kind(mean)
    yield (
        f"The mean relative Frobenius change of a tensor is {format_pct(mean)}, "
        f"{_neighbours(mean)}; the matrices have {numbers}. The reference pairs are of 7 to 8 "
        "billion parameters; numbers alone do not tell how target was made."
    )


def _kind(mean: float) -> str:
    if mean < _LIGHT_PCT:
        return "Like light tuning (DPO, RL) or less."
    if mean < _INSTRUCT_PCT:
        return "Like tuning for instructions."
    if mean < _HEAVY_PCT:
        return "Like heavy tuning, distillation or continued pretraining."
    return "Like continued pretraining on much text."


def _neighbours(mean: float) -> str:
    """The reference points on both sides."""
    below = [point for point in REFERENCE_POINTS if point.mean_pct <= mean]
    above = [point for point in REFERENCE_POINTS if point.mean_pct > mean]
    named = [f"{p.pair} ({format_pct(p.mean_pct)})" for p in (*below[-1:], *above[:1])]
    if not below:
        return f"less than that of {named[0]}"
    return f"between {named[0]} and {named[1]}" if above else f"more than that of {named[0]}"
